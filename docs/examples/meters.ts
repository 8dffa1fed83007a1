// What docs/metrics.md shows of OpenTelemetry. Compiled with everything else.
// #region setup
import { metrics } from '@opentelemetry/api';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  ConsoleMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { openTelemetry, openTelemetryMetrics } from '@warren/opentelemetry';

const reader = new PeriodicExportingMetricReader({ exporter: new ConsoleMetricExporter() });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

@Module({
  imports: [RabbitModule.forRoot({ plugins: [openTelemetry(), openTelemetryMetrics()] })],
})
export class AppModule {}
// #endregion
