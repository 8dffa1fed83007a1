// What `warren --help` says. In a file of its own, since the documentation prints it.

/** The help of all commands. */
export const USAGE = `Usage: warren dead list [queue]...      how many dead letters there are, and a line for each of the first
       warren dead show <queue>         facts, headers, stack and body of each
       warren dead replay <queue>       send them to their queue (orders for orders.dead), attempts anew
       warren dead drop <queue> --yes   take them out for good; without --yes: show what would go
       warren --help | --version

A queue is orders.dead or, for short, orders. Looking changes nothing; a replay or drop can be interrupted at any time.

Which letters (all conditions must hold):
  --error <class>      class of the error, for example TypeError
  --handler <name>     the handler that failed, for example OrderHandlers.place
  --id <message id>    may be repeated
  --older <duration>   failed at least that long ago: 90s, 30m, 2h, 7d
  --newer <duration>   failed at most that long ago
  --limit <n>          maximum number of letters (list 50, show 10, replay and drop: all that are there when it begins)

What to do with them:
  --to <queue>         replay: to another queue; needed when the name does not end in .dead
  --batch <n>          replay, drop: letters per batch (100)
  --save <file.jsonl>  show, drop: a JSON object per letter into this new file; drop: before it leaves the queue
  --yes                drop: do it

  --url <amqp url>         broker and virtual host (RABBITMQ_URL, else amqp://guest:guest@localhost:5672)
  --management <http url>  for list without a queue (RABBITMQ_MANAGEMENT_URL): AMQP cannot list queues
  --exact                  take the queue's name as it is: a dead-letter queue whose name does not end in .dead
  --json                   JSON objects, one a line, instead of text

Exit codes: 0 done, 1 failed on the way, 2 wrong usage, 3 no such queue, 4 no broker, 5 not allowed,
            6 queue locked, 7 nothing there, 130 interrupted`;
