# Sends texts to a work queue that it declares as its own programs do: durable, and nothing else said.
import pika
from wire import arguments, connect, tell

queue, *texts = arguments()
connection, channel = connect()
channel.queue_declare(queue=queue, durable=True)
channel.confirm_delivery()
for text in texts:
    channel.basic_publish(
        exchange="",
        routing_key=queue,
        body=text.encode(),
        properties=pika.BasicProperties(delivery_mode=2),
        mandatory=True,
    )
tell(sent=len(texts))
connection.close()
