// For the projects that run on a further version of RabbitMQ (jest.config.mjs): which node that is. What was registered
// for the embedded broker has run already, in the project without a version.
const { url, managementUrl, home } = (globalThis as unknown as { otherRabbitMQ: Record<string, string> })
  .otherRabbitMQ;
process.env.RABBITMQ_URL = url;
process.env.RABBITMQ_MANAGEMENT_URL = managementUrl;
process.env.WARREN_RABBITMQ = home ?? '';
process.env.WARREN_ONLY_RABBITMQ = '1';
