# Messages that few programs send: headers of all types that pika can write, ids as long as they may be, and a
# message with no properties at all.
from datetime import datetime, timezone
from decimal import Decimal

import pika
from wire import arguments, connect, tell

[queue] = arguments()
connection, channel = connect()
headers = {
    "nested": {"deeper": {"list": [1, "two", None, [True]]}},
    "list": [1, {"a": "b"}],
    "big": 2**53 + 1,
    "biggest": 2**63 - 1,
    "smallest": -(2**63),
    "when": datetime(2020, 1, 1, tzinfo=timezone.utc),
    "price": Decimal("12.34"),
    "nothing": None,
    "yes": True,
    "bytes": b"\x00\xff",
    "n" * 128: "long name",
    "": "no name",
    "__proto__": "not ours",
    "toString": "only text",
}
odd = pika.BasicProperties(
    headers=headers,
    message_id="m" * 255,
    correlation_id="c" * 255,
    type="t" * 255,
    app_id="a" * 255,
    priority=0,
    timestamp=0,
)
channel.basic_publish(exchange="", routing_key=queue, properties=odd, body=b'{"odd": true}')
channel.basic_publish(exchange="", routing_key=queue, body=b"\xff\xfe not text")
tell(sent=2)
connection.close()
