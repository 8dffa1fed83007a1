# Answers calls: fib(n) as text, to whatever queue and with whatever correlation id the caller named. The answer for 0
# can be made late.
import time

import pika
from wire import arguments, connect, tell

queue, *delay = arguments()
connection, channel = connect()
channel.queue_declare(queue=queue)


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def on_request(ch, method, properties, body):
    if delay and int(body) == 0:
        time.sleep(float(delay[0]))
    ch.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
        body=str(fib(int(body))).encode(),
    )
    ch.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue=queue, on_message_callback=on_request)
tell(ready=True)
channel.start_consuming()
