import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { ReportMaker } from './reports.js';
import { Tenants } from './tenants.js';

@Module({
  imports: [RabbitModule.forRoot({ service: 'reports', development: 'embedded' })],
  providers: [ReportMaker, Tenants],
})
export class AppModule {}
