import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { Services } from './services.js';
import { STEP_TIMEOUT, TripSaga } from './trip-saga.js';
import { Trips } from './trips.js';

@Module({
  imports: [RabbitModule.forRoot({ service: 'trips', development: 'embedded' })],
  // In production minutes, or days where a person has to decide.
  providers: [TripSaga, Trips, Services, { provide: STEP_TIMEOUT, useValue: '2s' }],
})
export class AppModule {}
