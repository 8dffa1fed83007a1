// The plugins that docs/plugins.md shows. Compiled with everything else, and run by test/docs.
// #region tenant
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Plugin } from '@warren/nestjs';

/** Whose request or message is being handled. */
export const tenants = new AsyncLocalStorage<string>();

export const tenant: Plugin = {
  name: 'tenant',
  publish: (next) => (message) => {
    const name = tenants.getStore();
    return next(name === undefined ? message : message.with({ headers: { 'x-tenant': name } }));
  },
  delivery: (next) => (delivery) => {
    const name = delivery.headers['x-tenant'];
    return typeof name === 'string' ? tenants.run(name, () => next(delivery)) : next(delivery);
  },
};
// #endregion

// #region encryption
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DecodeError, json, type Codec } from '@warren/nestjs';

const ENCRYPTED = 'application/vnd.example.encrypted';

/** AES-256-GCM for all bodies. `keys` by their ids, 32 bytes each: the first one encrypts, all of them decrypt. */
export function encryption(keys: Readonly<Record<string, Buffer>>): Plugin {
  const [current] = Object.keys(keys);

  const encrypt = (content: Buffer): Buffer => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', keys[current], iv);
    const text = Buffer.concat([cipher.update(content), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), text]);
  };

  const codec: Codec = {
    name: 'encrypted',
    contentTypes: [ENCRYPTED],
    encode: () => {
      throw new TypeError('bodies are encrypted by the plugin');
    },
    decode: (content, properties) => {
      const id = String(properties.headers?.['x-key']);
      if (!Object.hasOwn(keys, id))
        throw new DecodeError(`no key '${id}'`, 'add it to the keys of this service');
      const decipher = createDecipheriv('aes-256-gcm', keys[id], content.subarray(0, 12), {
        authTagLength: 16,
      });
      decipher.setAuthTag(content.subarray(12, 28));
      const plain = Buffer.concat([decipher.update(content.subarray(28)), decipher.final()]);
      return properties.headers?.['x-content-type'] === 'application/json'
        ? json.decode(plain, properties)
        : plain.toString();
    },
  };

  return {
    name: 'encryption',
    codecs: [codec],
    publish: (next) => (message) => {
      // What is sent again is encrypted already.
      if (['retry', 'dead-letter', 'replay'].includes(message.kind)) return next(message);
      return next(
        message.with({
          content: encrypt(message.content),
          contentType: ENCRYPTED,
          headers: { 'x-key': current, 'x-content-type': message.properties.contentType },
        }),
      );
    },
  };
}
// #endregion

// #region claims
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Reject, type DeliveryNext, type PublishNext } from '@warren/nestjs';

/** Where large bodies are. All services see the same folder. */
export class Folder {
  constructor(readonly path: string) {}
}

/** Bodies of events and work that are larger than 64 KiB travel through a folder. A provider, so it can be injected into. */
@Injectable()
export class ClaimCheck implements Plugin {
  readonly name = 'claim-check';
  private stored = 0;

  constructor(private readonly folder: Folder) {}

  publish(next: PublishNext): PublishNext {
    return async (message) => {
      const isLarge = message.content.length > 65_536;
      if (!isLarge || (message.kind !== 'publish' && message.kind !== 'send')) return next(message);
      const id = randomUUID();
      await writeFile(join(this.folder.path, id), message.content);
      this.stored++;
      return next(message.with({ content: Buffer.alloc(0), headers: { 'x-claim': id } }));
    };
  }

  delivery(next: DeliveryNext): DeliveryNext {
    return async (delivery) => {
      const id = delivery.headers['x-claim'];
      if (id === undefined) return next(delivery);
      // Whoever can publish could name any file.
      if (typeof id !== 'string' || !/^[0-9a-f-]{36}$/.test(id)) throw Reject('x-claim is not an id of ours');
      delivery.replaceBody(await readFile(join(this.folder.path, id)));
      return next(delivery);
    };
  }

  status() {
    return { stored: this.stored };
  }
}
// #endregion

// #region module
import { Module, type Type } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';

@Injectable()
export class Invoices {
  readonly seen: unknown[] = [];

  constructor(private readonly publisher: Publisher) {}

  @Consume('invoices')
  async file(@Payload() invoice: { id: number; scan?: string }) {
    await this.publisher.send('invoices.filed', { id: invoice.id });
  }

  @Consume('invoices.filed')
  filed(@Payload() { id }: { id: number }) {
    this.seen.push([id, tenants.getStore()]);
  }

  @RpcHandler('invoices.total')
  total(@Payload() cents: number[]): number {
    return cents.reduce((sum, each) => sum + each, 0);
  }
}

/** Plugins are given as they are, or by the class of a provider. The first one is outermost. */
export function invoicing(keys: Readonly<Record<string, Buffer>>, folder: string): Type {
  @Module({
    imports: [
      RabbitModule.forRoot({ service: 'invoicing', plugins: [tenant, encryption(keys), ClaimCheck] }),
    ],
    providers: [Invoices, ClaimCheck, { provide: Folder, useValue: new Folder(folder) }],
  })
  class InvoicingModule {}
  return InvoicingModule;
}
// #endregion

// #region options
declare module '@warren/amqp' {
  interface HandlerPluginOptions {
    readonly audit?: { readonly level: 'full' | 'short' };
  }
}
// #endregion
