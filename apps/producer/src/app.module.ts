// The application: the connection to RabbitMQ, the exchange or queue that is sent to, and the one class that sends.
import { type DynamicModule, Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { CommandLine } from './command-line.js';
import { producers, topology } from './patterns.js';
import { Terminal } from './terminal.js';

@Module({})
export class AppModule {
  static for(commandLine: CommandLine, terminal: Terminal): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RabbitModule.forRoot({
          // Without a URL: the environment's RABBITMQ_URL, else amqp://guest:guest@localhost:5672.
          url: commandLine.url,
          service: 'producer',
          consumers: false,
          // Somebody sits in front of this terminal. A service would rather go on trying (the default is 30 s), and the
          // demo must pass on a busy machine.
          startupTimeout: process.env.WARREN_DEMO ? '2m' : '10s',
          connectTimeout: process.env.WARREN_DEMO ? '1m' : '5s',
          shutdown: commandLine.shutdown,
        }),
        RabbitModule.forFeature(topology(commandLine.pattern, commandLine.name)),
      ],
      providers: [
        { provide: CommandLine, useValue: commandLine },
        { provide: Terminal, useValue: terminal },
        producers[commandLine.pattern],
      ],
    };
  }
}
