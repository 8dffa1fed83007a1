// For tests that choose their broker as an application does, by RABBITMQ_URL: without it they use the embedded one.
delete process.env.RABBITMQ_URL;
