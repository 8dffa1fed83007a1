# Listens to an exchange with a queue of its own, which goes away with it: name, type, then binding keys, or
# key=value pairs that all must match on a headers exchange.
from wire import arguments, connect, received, tell

exchange, kind, *bindings = arguments()
connection, channel = connect()
channel.exchange_declare(exchange=exchange, exchange_type=kind, durable=True)
queue = channel.queue_declare(queue="", exclusive=True).method.queue
if kind == "headers":
    match = dict(pair.split("=", 1) for pair in bindings)
    channel.queue_bind(exchange=exchange, queue=queue, arguments={"x-match": "all", **match})
else:
    for key in bindings or [""]:
        channel.queue_bind(exchange=exchange, queue=queue, routing_key=key)
channel.basic_consume(
    queue=queue,
    on_message_callback=lambda ch, method, properties, body: received(method, properties, body),
    auto_ack=True,
)
tell(ready=True)
channel.start_consuming()
