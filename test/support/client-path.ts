// Keeps every frame on the client library's own path.
process.env.WARREN_DATA_PLANE = 'amqplib';
