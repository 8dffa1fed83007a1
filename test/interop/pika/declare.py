# Declares a queue that is not durable, as many first programs do. It stays until the broker restarts.
from wire import arguments, connect, tell

[queue] = arguments()
connection, channel = connect()
channel.queue_declare(queue=queue)
tell(declared=queue)
connection.close()
