// A private RabbitMQ for tests: its own node name, cookie, ports and folders, and its own epmd, so that nothing
// of it is shared with a broker that may already run on this machine and nothing is left when it stops.
// `node tools/rabbitmq.mjs [--rabbitmq 4.3]` keeps one running until SIGTERM; `startRabbitMQ()` does so for a script.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { dockerAnswers, EXCHANGE_PLUGINS, startContainer } from './rabbitmq-container.mjs';
import { freePorts, gone, ready } from './rabbitmq-ports.mjs';
import { existing, findEpmd, findRabbitMQ, obtainRabbitMQ, pathTo } from './rabbitmq-program.mjs';
import { suites } from './rabbitmq-suite.mjs';

export { findRabbitMQ } from './rabbitmq-program.mjs';

const run = promisify(execFile);
const STOP_LIMIT = 20_000;
const COMMAND_LIMIT = 180_000;
/** @type {Set<Node>} */
const running = new Set();

/**
 * A private RabbitMQ node. `home` is the folder of the fetched program that it runs; undefined when it is this machine's
 * own. A node in Docker has no `crash`, `start`, `pause`, `resume` and `rabbitmqctl`.
 *
 * @typedef {object} RabbitMQNode
 * @property {string} url
 * @property {string | undefined} managementUrl
 * @property {number | undefined} pid
 * @property {string} [home]
 * @property {string} nodename
 * @property {(options?: { readonly crash?: boolean }) => Promise<void>} restart
 * @property {() => Promise<void>} crash
 * @property {() => Promise<void>} start
 * @property {() => void} pause
 * @property {() => void} resume
 * @property {(...args: string[]) => Promise<string>} rabbitmqctl
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} NodeOptions
 * @property {string} [line]
 * @property {number} [port]
 * @property {boolean} [management]
 * @property {string} [nodename]
 * @property {string} [keep]
 * @property {readonly string[]} [settings]
 * @property {readonly string[]} [plugins]
 * @property {string} [erlang]
 * @property {string} [cookie]
 * @property {number} [epmdPort]
 * @property {string} [home]
 */

/**
 * Starts a node and resolves when AMQP (and management) answer. `keep` names a folder that survives `stop()`; `settings`
 * are lines of rabbitmq.conf, `plugins` more plugins, `erlang` more arguments of the Erlang machine; `cookie` and
 * `epmdPort` join nodes to a cluster. `line` (`4.3`) wants that version, `home` is the folder of a fetched program; without
 * them it is this machine's program, else the newest that can be fetched, else Docker. Rejects with the end of its log.
 *
 * @param {NodeOptions} [options]
 * @returns {Promise<RabbitMQNode>}
 */
export async function startRabbitMQ(options = {}) {
  const { program, home, reason } = await programFor(options);
  const [port, managementPort, distributionPort, epmdPort] = await freePorts(4, options.port);
  const ports = { port, managementPort, distributionPort, epmdPort };
  if (!program) {
    if (!dockerAnswers()) throw new Error(`no program rabbitmq-server (${reason}) and no Docker engine`);
    const parts = { ...ports, line: options.line, ready: () => ready(ports, true, () => true) };
    return /** @type {Promise<RabbitMQNode>} */ (startContainer(parts));
  }
  const node = new Node(program, ports, { ...options, home });
  running.add(node);
  try {
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

/** @param {NodeOptions} options */
async function programFor({ line, home = line === undefined ? process.env.WARREN_RABBITMQ : undefined }) {
  const program = findRabbitMQ(home ?? '');
  if (program !== undefined && (home || line === undefined)) return { program, home };
  return obtainRabbitMQ(line ?? [...suites.keys()][0]);
}

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** @typedef {{ port: number, managementPort: number, distributionPort: number, epmdPort: number }} Ports */

class Node {
  #program;
  #programHome;
  #ports;
  #management;
  #home;
  #kept;
  #environment;
  /** @type {ChildProcess | undefined} */
  #server;
  /** @type {ChildProcess | undefined} */
  #epmd;

  #ownEpmd;

  /** @param {string} program @param {Ports} ports @param {NodeOptions} options */
  constructor(program, ports, options) {
    const { management = true, nodename, keep, epmdPort } = options;
    this.#program = program;
    this.#programHome = options.home;
    this.#ports = { ...ports, epmdPort: epmdPort ?? ports.epmdPort };
    this.#ownEpmd = epmdPort === undefined;
    this.#management = management;
    this.#kept = keep !== undefined;
    this.#home =
      keep ?? mkdtempSync(join(process.env.WARREN_RABBITMQ_FOLDER ?? tmpdir(), 'warren-rabbitmq-'));
    mkdirSync(this.#home, { recursive: true });
    this.nodename = nodename ?? `warren-${randomBytes(4).toString('hex')}@localhost`;
    this.#environment = environment(this.#home, this.#ports, this.nodename, options);
    writeFiles(this.#home, ports, { ...options, management });
  }

  get url() {
    return `amqp://guest:guest@127.0.0.1:${this.#ports.port}`;
  }

  get managementUrl() {
    return this.#management ? `http://guest:guest@127.0.0.1:${this.#ports.managementPort}` : undefined;
  }

  get pid() {
    return this.#server?.pid;
  }

  /** Folder of the fetched program that it runs; undefined when it is this machine's own. */
  get home() {
    return this.#programHome;
  }

  async start() {
    if (alive(this.#server)) return;
    // An epmd of our own, in the foreground: the one that Erlang would start lives on for ever and is shared.
    const epmd = this.#ownEpmd ? findEpmd(this.#programHome) : undefined;
    if (epmd && !alive(this.#epmd)) {
      const args = ['-address', '127.0.0.1', '-port', String(this.#ports.epmdPort)];
      this.#epmd = spawn(epmd, args, { env: this.#environment, stdio: 'ignore' }).on('error', () => {});
    }
    const output = openSync(join(this.#home, 'output.log'), 'a');
    try {
      /** @type {import('node:child_process').SpawnOptions} */
      const settings = {
        cwd: this.#home,
        env: this.#environment,
        stdio: ['ignore', output, output],
        detached: true,
      };
      this.#server = spawn(this.#program, [], settings).on('error', () => {});
    } finally {
      closeSync(output);
    }
    await ready(this.#ports, this.#management, () => alive(this.#server)).catch((error) => {
      throw new Error(`${error.message}\n${this.log()}`);
    });
  }

  /** Stops and starts the node on the same ports and data; `crash` kills it instead of asking. */
  async restart({ crash = false } = {}) {
    await this.#end(!crash);
    await this.start();
  }

  /** Kills the node with all its helpers. */
  crash() {
    return this.#end(false);
  }

  /** The node stands still, its sockets stay open: what a frozen machine looks like. */
  pause() {
    signalGroup(this.#server, 'SIGSTOP');
  }

  resume() {
    signalGroup(this.#server, 'SIGCONT');
  }

  /**
   * Resolves to what rabbitmqctl prints, without its own words around it.
   *
   * @param {string[]} args
   */
  async rabbitmqctl(...args) {
    const program = join(dirname(this.#program), 'rabbitmqctl');
    const options = { env: this.#environment, cwd: this.#home, timeout: COMMAND_LIMIT };
    const { stdout } = await run(program, ['-q', '-n', this.nodename, ...args], options);
    return stdout.trim();
  }

  /** Ends the node, its children and its epmd, and removes the folder unless it was to be kept. */
  async stop() {
    running.delete(this);
    await this.#end(this.#kept);
    await end(this.#epmd, 'SIGKILL');
    if (!this.#kept) rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Last lines that the node wrote. */
  log() {
    const files = ['output.log', ...existing(join(this.#home, 'log')).map((name) => join('log', name))];
    const text = files
      .map((name) => readFileSync(join(this.#home, name), { encoding: 'utf8', flag: 'a+' }))
      .join('\n');
    return text.trim().split('\n').slice(-40).join('\n');
  }

  // For the process's own end, when nothing can be awaited any more.
  kill() {
    signalGroup(this.#server, 'SIGKILL');
    this.#epmd?.kill('SIGKILL');
    if (!this.#kept) rmSync(this.#home, { recursive: true, force: true });
  }

  /** @param {boolean} politely */
  async #end(politely) {
    if (politely) await end(this.#server, 'SIGTERM');
    // The launcher script, the Erlang machine and its helpers share one process group, led by the launcher.
    signalGroup(this.#server, 'SIGKILL');
    await end(this.#server, 'SIGKILL');
    await gone(this.#ports.port);
  }
}

process.on('exit', () => {
  for (const node of running) node.kill();
});

/** @param {string} home @param {Ports} ports @param {string} nodename @param {NodeOptions} options */
function environment(home, { port, distributionPort, epmdPort }, nodename, options) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RABBITMQ|ERL)_/.test(name));
  return {
    ...Object.fromEntries(inherited),
    ...pathTo(options.home),
    HOME: home,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: nodename,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(home, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${options.erlang ?? ''}`,
  };
}

/** @param {string} home @param {Ports} ports @param {NodeOptions} options */
function writeFiles(
  home,
  { managementPort },
  { management, settings: more = [], plugins: others = [], cookie },
) {
  const settings = [
    'log.console = false',
    'log.file.level = error',
    'disk_free_limit.absolute = 1MB',
    ...(management ? ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${managementPort}`] : []),
    ...more,
  ];
  const plugins = [...EXCHANGE_PLUGINS, ...(management ? ['rabbitmq_management'] : []), ...others].join();
  writeFileSync(join(home, 'rabbitmq.conf'), settings.join('\n') + '\n');
  writeFileSync(join(home, 'enabled_plugins'), `[${plugins}].\n`);
  writeFileSync(join(home, 'rabbitmq-env.conf'), '');
  const secret = cookie ?? randomBytes(16).toString('hex');
  writeFileSync(join(home, '.erlang.cookie'), secret, { mode: 0o600, flag: 'w' });
}

/** @param {ChildProcess | undefined} child @param {NodeJS.Signals} signal */
async function end(child, signal) {
  if (!alive(child)) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await Promise.race([exited, wait(STOP_LIMIT, undefined, { ref: false })]);
}

/** @param {ChildProcess | undefined} child @param {NodeJS.Signals} signal */
function signalGroup(child, signal) {
  try {
    if (child?.pid) process.kill(-child.pid, signal);
  } catch {
    // ESRCH: the whole group has ended already.
  }
}

/**
 * @param {ChildProcess | undefined} child
 * @returns {child is ChildProcess}
 */
function alive(child) {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = process.argv.indexOf('--rabbitmq');
  const line = at === -1 ? undefined : process.argv[at + 1];
  const node = await startRabbitMQ({ line, port: Number(process.env.PORT) || undefined });
  console.log(
    `RabbitMQ (pid ${node.pid}) at ${node.url}, management at ${node.managementUrl}. Stop with Ctrl+C.`,
  );
  const keepRunning = setInterval(() => {}, 60_000);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void node.stop().finally(() => clearInterval(keepRunning)));
  }
}
