// What all connections of one broker share: users, virtual hosts, limits, the registry of direct replies.
import { Access } from '../model/access.js';
import { brokerClock } from '../model/clock.js';
import { MemoryMeter } from '../model/memory-meter.js';
import type { MovableClock } from '../model/movable-clock.js';
import type { VersionTraits } from '../model/version.js';
import type { DiskJournal } from '../store/disk-journal.js';
import { PublishCache } from '../wire/whole-publish.js';
import { VirtualHost } from '../model/virtual-host.js';
import { PublishFaults } from './faults/publish-faults.js';
import { StandingFaults } from './faults/standing-faults.js';
import { DirectReplies } from './direct-replies.js';

export interface Limits {
  /** Largest message body in bytes. */
  readonly maxMessageSize: number;
  /** Largest frame in bytes. */
  readonly frameMax: number;
  /** Channels of one connection. */
  readonly channelMax: number;
  /** Seconds. */
  readonly heartbeat: number;
  /** Bytes held for clients from which on publishers are blocked. */
  readonly memoryLimit: number;
}

/** The log of the broker. */
export interface BrokerLogger {
  /** Normal events. */
  log(message: string): void;
  /** Events that need attention. */
  warn(message: string): void;
}

export class ServerContext {
  readonly vhosts = new Map<string, VirtualHost>();
  readonly access = new Access();
  readonly directReplies = new DirectReplies();
  readonly meter: MemoryMeter;
  readonly publishCache = new PublishCache();
  readonly publishFaults = new PublishFaults();
  readonly standing = new StandingFaults();
  /** Whether clients may log in by a certificate. */
  certificates = false;
  /** Grows whenever a client sent or received something. */
  readonly traffic = { count: 0 };
  /** Why publishers are currently blocked. */
  alarm: string | undefined;

  constructor(
    readonly limits: Limits,
    readonly traits: VersionTraits,
    readonly clock: MovableClock,
    readonly logger: BrokerLogger,
    /** Stores durable entities; undefined when everything is in memory only. */
    readonly journal: DiskJournal | undefined,
    onAlarm: (alarmed: boolean) => void,
  ) {
    this.meter = new MemoryMeter(limits.memoryLimit, onAlarm, limits.maxMessageSize);
  }

  addVhost(name: string): void {
    if (this.vhosts.has(name)) return;
    const clock = brokerClock(this.clock, (error) =>
      this.logger.warn(`a timer of '${name}' failed: ${String(error)}`),
    );
    this.vhosts.set(name, new VirtualHost(name, clock, this.meter, this.traits, this.journal));
  }

  close(): void {
    // First, since what goes now is to be there again.
    this.journal?.close();
    for (const vhost of this.vhosts.values()) vhost.close();
    this.vhosts.clear();
  }
}
