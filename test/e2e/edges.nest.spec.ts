// Where the pipeline meets its edges: a batch with one bad message, an Observable that outlives its handler's time,
// a guard that throws, and classes or methods that cannot handle messages at all.
import { afterEach, describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import {
  BadRequestException,
  Injectable,
  ParseArrayPipe,
  Scope,
  ServiceUnavailableException,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ModuleMetadata,
  type PipeTransform,
} from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { connect } from 'amqplib';
import { IsInt } from 'class-validator';
import { Observable } from 'rxjs';

class Item {
  @IsInt()
  n!: number;
}

@Injectable()
class Batches {
  readonly seen: number[][] = [];

  @Consume('items', { batch: { size: 3, wait: '1s' } })
  take(@Payload(new ParseArrayPipe({ items: Item })) items: Item[]): void {
    this.seen.push(items.map(({ n }) => n));
  }
}

/** Looks items up in a database, which fails for its next `away` questions: those about single items only, if `late`. */
class Lookup implements PipeTransform {
  away = 0;
  late = false;

  transform(items: Item[]): Item[] {
    const isAway = this.away-- > 0;
    if (isAway && this.late && items.length === 1) throw new Error('database away');
    if (items.some(({ n }) => n === 2)) throw new BadRequestException('no such item');
    if (isAway && !this.late) throw new Error('database away');
    return items;
  }
}

const lookup = new Lookup();

@Injectable()
class LookedUp {
  readonly seen: number[][] = [];

  @Consume('looked.up', { batch: { size: 3, wait: '1s' }, retry: { attempts: 3, delays: 10 } })
  take(@Payload(lookup) items: Item[]): void {
    this.seen.push(items.map(({ n }) => n));
  }
}

@Injectable()
class Endless {
  subscriptions = 0;

  @Consume('endless', { timeout: '50ms', retry: false })
  run(): Observable<never> {
    return new Observable(() => {
      this.subscriptions++;
      return () => void this.subscriptions--;
    });
  }
}

const throws = (error: () => Error): CanActivate => ({
  canActivate: () => {
    throw error();
  },
});

@Injectable()
class Guarded {
  @UseGuards(throws(() => new UnauthorizedException()))
  @Consume('refused')
  refused(): void {}

  @UseGuards(throws(() => new ServiceUnavailableException()))
  @Consume('broken')
  broken(): void {}
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  @Consume('transient')
  take(): void {}
}

const root = (): ModuleMetadata['imports'] => [
  RabbitModule.forRoot({ service: 'edges', retry: { attempts: 3 } }),
];

/** What lies in a queue, looked at from outside. */
async function lying(queue: string, url: string): Promise<unknown[]> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createChannel();
  const found: unknown[] = [];
  for (let next = await channel.get(queue); next; next = await channel.get(queue)) {
    found.push(JSON.parse(next.content.toString()));
  }
  await connection.close();
  return found;
}

describe('at the edges', () => {
  let rabbit: RabbitTesting | undefined;

  afterEach(async () => {
    await rabbit?.stop();
    rabbit = undefined;
  });

  const start = async (
    provider: NonNullable<ModuleMetadata['providers']>[number],
  ): Promise<RabbitTesting> => {
    return (rabbit = await RabbitTesting.start({ imports: root(), providers: [provider] }));
  };

  it('a message that the pipes refuse leaves its batch, and the others are handled', async () => {
    const test = await start(Batches);
    for (const n of [1, 'bad', 3]) await test.publisher.send('items', { n });
    await test.idle();
    expect(await lying('items.dead', test.url)).toEqual([{ n: 'bad' }]);
    expect(test.get(Batches).seen).toEqual([[1, 3]]);
  });

  it.each([
    ['others', { away: 5, late: false }],
    ['any', { away: 4, late: true }],
  ])('a pipe that cannot check %s of a batch for another reason has them retried', async (_which, state) => {
    Object.assign(lookup, state);
    const test = await start(LookedUp);
    for (const n of [1, 2, 3]) await test.publisher.send('looked.up', { n });
    await test.idle();
    expect(await lying('looked.up.dead', test.url)).toEqual([{ n: 2 }]);
    expect(test.get(LookedUp).seen.flat().sort()).toEqual([1, 3]);
  });

  it('an Observable is left when the time of its handler is over', async () => {
    const test = await start(Endless);
    await test.publisher.send('endless', 1);
    await test.idle();
    expect(test.dead('endless')).toHaveLength(1);
    expect(test.get(Endless).subscriptions).toBe(0);
  });

  it('a guard that throws a refusal is not asked again, one that is broken is', async () => {
    const test = await start(Guarded);
    await test.publisher.send('refused', 1);
    await test.publisher.send('broken', 1);
    await test.idle();
    expect(test.failed(Guarded, 'refused')).toHaveLength(1);
    expect(test.dead('refused').map(({ reason }) => reason)).toEqual(['rejected']);
    expect(test.failed(Guarded, 'broken')).toHaveLength(3);
  });

  it('a value without a class does not keep the application from starting', async () => {
    const bare: unknown = Object.create(Object.create(null) as object);
    await expect(start({ provide: 'bare', useValue: bare })).resolves.toBeDefined();
  });

  it('a transient class cannot have handlers', async () => {
    await expect(start(Transient)).rejects.toThrow(/Transient has handlers and is transient/);
  });

  it('a static method cannot be a handler', () => {
    expect(() => {
      class Static {
        @Consume('static')
        static take(): void {}
      }
      return Static;
    }).toThrow(/Static\.take cannot handle messages/);
  });

  it('forFeature without a connection is told at the start', async () => {
    const feature = RabbitModule.forFeature({ queues: [{ name: 'nobody' }] });
    await expect(RabbitTesting.start({ imports: [feature] })).rejects.toThrow(
      /forFeature\(\) has no connection/,
    );
  });
});
