// Publisher confirms: a publish is over when the broker has the message, and says so.
// #region publishing
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Publisher, PublishNackedError, RabbitModule, UnroutableError } from '@warren/nestjs';

@Injectable()
class Archive {
  constructor(private readonly publisher: Publisher) {}

  async oneByOne(lines: string[]): Promise<void> {
    for (const line of lines) await this.publisher.send('archive', line);
  }

  async allAtOnce(lines: string[]): Promise<void> {
    await Promise.all(lines.map((line) => this.publisher.send('archive', line)));
  }

  async carefully(queue: string, line: string): Promise<string> {
    try {
      const options = { messageId: line, retryNacked: 0 };
      const { messageId } = await this.publisher.send(queue, line, options);
      return `${messageId}: the broker has it`;
    } catch (error) {
      if (error instanceof UnroutableError) return `${error.messageId}: there is no such queue`;
      if (error instanceof PublishNackedError) return `${error.messageId}: the queue is full`;
      throw error;
    }
  }
}
// #endregion

// #region main
@Module({
  imports: [
    RabbitModule.forRoot({ service: 'tutorial' }),
    RabbitModule.forFeature({
      queues: [
        { name: 'archive', queueType: 'classic' },
        { name: 'tiny', queueType: 'classic', maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } },
      ],
    }),
  ],
  providers: [Archive],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

const archive = app.get(Archive);
const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
await archive.oneByOne(lines);
await archive.allAtOnce(lines);
console.log('200 messages are confirmed');
console.log(await archive.carefully('tiny', 'a'));
console.log(await archive.carefully('tiny', 'b'));
console.log(await archive.carefully('nowhere', 'c'));
// #endregion
