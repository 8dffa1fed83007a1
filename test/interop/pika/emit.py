# Publishes to an exchange of any type: name, type, routing key, text, and headers as key=value.
import pika
from wire import arguments, connect, tell

exchange, kind, key, text, *pairs = arguments()
connection, channel = connect()
channel.exchange_declare(exchange=exchange, exchange_type=kind, durable=True)
channel.confirm_delivery()
headers = dict(pair.split("=", 1) for pair in pairs)
channel.basic_publish(
    exchange=exchange,
    routing_key=key,
    body=text.encode(),
    properties=pika.BasicProperties(headers=headers),
)
tell(sent=1)
connection.close()
