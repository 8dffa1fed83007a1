# A worker: takes one message at a time from a durable queue, and acks it when it is done.
from wire import arguments, connect, received, tell

[queue] = arguments()
connection, channel = connect()
channel.queue_declare(queue=queue, durable=True)
channel.basic_qos(prefetch_count=1)


def work(ch, method, properties, body):
    received(method, properties, body)
    ch.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_consume(queue=queue, on_message_callback=work)
tell(ready=True)
channel.start_consuming()
