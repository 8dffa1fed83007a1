// What a wrong command line, or --help, shows. Kept apart because it is long and nobody copies it.
export const usage = `Sends messages to RabbitMQ, in one of its seven patterns:

  npm run producer -- <pattern> ... <message>... [options]

  simple <message>...                    to the queue hello
  work <task>...                         to the queue task_queue; a dot is a second of work
  fanout <message>...                    to everybody who listens to the exchange logs
  direct <severity> <message>...         to those who want this severity; exchange direct_logs
  topic <topic> <message>...             to those whose pattern fits the topic; exchange topic_logs
  headers <name=value>... <message>...   to those who want these headers; exchange headers_logs
  rpc <n>...                             asks for fib(n) and shows the answer; queue rpc_queue

  --url <url>     amqp://user:password@host:5672/vhost; default RABBITMQ_URL, else guest on localhost
  --name <name>   another queue or exchange than the one above
  --mandatory     exchanges: it is an error when nobody wants the message
  --repeat <n>    work: send each task n times, all at once
  --shutdown <ms> how long the broker may take to confirm them after Ctrl+C, default 10000
  --json          one JSON object per line, for programs
  --verbose       also what the library has to say

Examples, each in a terminal of its own:

  npm run consumer -- work --prefetch 1             npm run producer -- work "first." "second..."
  npm run consumer -- direct info error             npm run producer -- direct error "disk full"
  npm run consumer -- topic "*.info" "*.mysql.#"    npm run producer -- topic test.mysql.error "down"
  npm run consumer -- rpc                           npm run producer -- rpc 30`;
