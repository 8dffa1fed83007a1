// The application: the connection to RabbitMQ, and the one handler class that the command line asks for. An
// application of yours would simply list all of its handlers under `providers`.
import { type DynamicModule, Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { CommandLine } from './command-line.js';
import { consumers } from './patterns.js';
import { Terminal } from './terminal.js';

@Module({})
export class AppModule {
  static for(commandLine: CommandLine): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RabbitModule.forRoot({
          // Without a URL: the environment's RABBITMQ_URL, else amqp://guest:guest@localhost:5672.
          url: commandLine.url,
          service: commandLine.service,
          // Somebody sits in front of this terminal. A service would rather go on trying (the default is 30 s), and the
          // demo must pass on a busy machine.
          startupTimeout: process.env.WARREN_DEMO ? '2m' : '10s',
          connectTimeout: process.env.WARREN_DEMO ? '1m' : '5s',
          shutdown: commandLine.shutdown,
        }),
      ],
      providers: [{ provide: CommandLine, useValue: commandLine }, Terminal, consumers[commandLine.pattern]],
    };
  }
}
