# Answers a call with several replies: numbered, under one name for this run, and an empty one that says how many
# there were.
import pika
from wire import arguments, connect, tell

[queue] = arguments()
connection, channel = connect()
channel.queue_declare(queue=queue)


def on_request(ch, method, properties, body):
    def reply(body, **headers):
        ch.basic_publish(
            exchange="",
            routing_key=properties.reply_to,
            properties=pika.BasicProperties(
                correlation_id=properties.correlation_id,
                headers={"x-warren-run": "1", **headers},
            ),
            body=body,
        )

    count = int(body)
    for n in range(1, count + 1):
        reply(str(n).encode(), **{"x-warren-sequence": n})
    reply(b"", **{"x-warren-end": count})
    ch.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_consume(queue=queue, on_message_callback=on_request)
tell(ready=True)
channel.start_consuming()
