// What a wrong command line, or --help, shows. Kept apart because it is long and nobody copies it.
export const usage = `Receives messages from RabbitMQ, in one of its seven patterns:

  npm run consumer -- <pattern> ... [options]

  simple                      every message of the queue hello
  work                        tasks of the queue task_queue, shared among workers; a dot takes a second
  fanout                      everything sent to the exchange logs while this runs
  direct <severity>...        these severities of the exchange direct_logs
  topic <pattern>...          these topics of the exchange topic_logs: * is one word, # any number of words
  headers <name=value>...     what carries all of these headers (--any: one of them); exchange headers_logs
  rpc                         answers fib(n), queue rpc_queue

  --url <url>         amqp://user:password@host:5672/vhost; default RABBITMQ_URL, else guest on localhost
  --name <name>       another queue or exchange than the one above
  --service <name>    another name of the service, default consumer; its wait queues begin with it
  --prefetch <n>      work: unfinished tasks that this worker may hold at once; 1 is fair dispatch
  --concurrency <n>   work: how many tasks run at once, default 1
  --ack none          work: the broker forgets a task when it hands it out; a crash loses it
  --dot <ms>          work: how long a dot takes, default 1000
  --fail <n>          work: throw on the first n attempts of each task; the third attempt is the last
  --all, --any        headers: whether all must match (default) or one is enough
  --shutdown <ms>     how long running handlers may take after Ctrl+C, default 10000
  --json              one JSON object per line, for programs
  --verbose           also what the library has to say

Examples, each in a terminal of its own:

  npm run consumer -- work --prefetch 1             npm run producer -- work "first." "second..."
  npm run consumer -- direct info error             npm run producer -- direct error "disk full"
  npm run consumer -- topic "*.info" "*.mysql.#"    npm run producer -- topic test.mysql.error "down"
  npm run consumer -- rpc                           npm run producer -- rpc 30`;
