// What of a start is Nest's: the packages that an application with Warren loads, and an empty module. No message passes here.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import '@nestjs/microservices';

/** Starts; there is no broker to connect to. */
export async function open() {
  class AppModule {}
  Module({})(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  return { close: () => app.close() };
}
