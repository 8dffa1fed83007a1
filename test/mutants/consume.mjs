// What becomes of a delivery.
export default [
  {
    id: 'settle-ack-first',
    file: 'libs/amqp/src/inbound/settle.ts',
    from: `      await send();
      return origin.ack();`,
    to: `      const acked = origin.ack();
      await send();
      return acked;`,
    promise: 'what is sent on is confirmed before the original is acked',
    tests: ['inbound/settle.spec', 'e2e/failure.spec'],
  },
];
