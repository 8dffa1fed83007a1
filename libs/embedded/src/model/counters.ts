// What has happened so far to a queue, a channel or an exchange, as numbers that only grow. Plain fields, because they are
// counted up for every message.

/** Messages of a queue or channel, with the names that RabbitMQ gives them in its management API. */
export class MessageCounters {
  publish = 0;
  confirm = 0;
  return_unroutable = 0;
  drop_unroutable = 0;
  deliver = 0;
  deliver_no_ack = 0;
  get = 0;
  get_no_ack = 0;
  get_empty = 0;
  redeliver = 0;
  ack = 0;

  delivered(noAck: boolean, redelivered: boolean): void {
    if (noAck) this.deliver_no_ack += 1;
    else this.deliver += 1;
    if (redelivered) this.redeliver += 1;
  }

  got(noAck: boolean, redelivered: boolean): void {
    if (noAck) this.get_no_ack += 1;
    else this.get += 1;
    if (redelivered) this.redeliver += 1;
  }

  /** Takes over what another has counted. */
  add(other: MessageCounters): void {
    for (const name of Object.keys(other) as CounterName[]) this[name] += other[name];
  }
}

type CounterName = Exclude<keyof MessageCounters, 'delivered' | 'got' | 'add'>;

/** Messages that came to an exchange, and copies of them that went on to queues. */
export class ExchangeCounters {
  publish_in = 0;
  publish_out = 0;
}
