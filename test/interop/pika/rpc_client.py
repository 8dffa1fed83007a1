# Calls a handler: the answer comes to an exclusive queue (or to direct reply-to), found by its correlation id.
import uuid

import pika
from wire import arguments, connect, tell

queue, text, *direct = arguments()
connection, channel = connect()
correlation_id = str(uuid.uuid4())
answers = []


def on_answer(ch, method, properties, body):
    if properties.correlation_id == correlation_id:
        answers.append((properties, body))


if direct:
    reply_to = "amq.rabbitmq.reply-to"
else:
    reply_to = channel.queue_declare(queue="", exclusive=True).method.queue
channel.basic_consume(queue=reply_to, on_message_callback=on_answer, auto_ack=True)
channel.basic_publish(
    exchange="",
    routing_key=queue,
    properties=pika.BasicProperties(reply_to=reply_to, correlation_id=correlation_id),
    body=text.encode(),
)
while not answers:
    connection.process_data_events(time_limit=1)
properties, body = answers[0]
tell(
    body=body.decode("utf-8"),
    content_type=properties.content_type,
    failed=bool((properties.headers or {}).get("x-rpc-error")),
)
connection.close()
