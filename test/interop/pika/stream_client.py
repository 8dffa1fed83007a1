# Reads the items of a generator: asks for two at a time, says how many it has read, and says that it
# leaves when it has enough.
import json
import uuid

import pika
from wire import arguments, connect, tell

queue, text, enough = arguments()
connection, channel = connect()
correlation_id = str(uuid.uuid4())
reply_to = channel.queue_declare(queue="", exclusive=True).method.queue
items = []
end = None


def control(server, kind, **more):
    body = json.dumps({"kind": kind, "id": correlation_id, **more})
    channel.basic_publish(exchange="", routing_key=server, body=body.encode())


def on_reply(ch, method, properties, body):
    global end
    if "x-warren-end" in properties.headers:
        end = "all %d" % properties.headers["x-warren-end"]
    elif "x-rpc-error" in properties.headers:
        end = json.loads(body)["message"]
    elif "x-warren-alive" not in properties.headers:
        items.append(json.loads(body))
        server = properties.headers["x-warren-control"]
        if len(items) == int(enough):
            control(server, "cancel")
            end = "enough"
        else:
            control(server, "credit", count=len(items))


channel.basic_consume(queue=reply_to, on_message_callback=on_reply, auto_ack=True)
channel.basic_publish(
    exchange="",
    routing_key=queue,
    properties=pika.BasicProperties(
        reply_to=reply_to,
        correlation_id=correlation_id,
        headers={"x-warren-stream": 2},
    ),
    body=text.encode(),
)
while end is None:
    connection.process_data_events(time_limit=1)
tell(items=items, end=end)
connection.close()
