# What every script here starts with: the connection that AMQP_URL names, and lines of JSON for the test that reads them.
import json
import os
import sys

import pika


def connect():
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    connection = pika.BlockingConnection(parameters)
    return connection, connection.channel()


def tell(**facts):
    print(json.dumps(facts), flush=True)


def received(method, properties, body):
    tell(
        body=body.decode("utf-8"),
        key=method.routing_key,
        redelivered=method.redelivered,
        content_type=properties.content_type,
        delivery_mode=properties.delivery_mode,
        message_id=properties.message_id,
        headers=properties.headers,
    )


def arguments():
    return sys.argv[1:]
