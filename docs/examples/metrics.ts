// What docs/metrics.md shows. Compiled with everything else, and run by test/e2e/metrics.nest.spec.ts.
// #region setup
import { Controller, Get, Header, Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { prometheus } from '@warren/nestjs/prometheus';
import { register } from 'prom-client';

@Controller('metrics')
export class MetricsController {
  @Get()
  @Header('Content-Type', register.contentType)
  metrics(): Promise<string> {
    return register.metrics();
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'shop', plugins: [prometheus()] })],
  controllers: [MetricsController],
})
export class AppModule {}
// #endregion

// #region sink
import { metrics, prometheusName, type Instrument, type Labels, type MetricsSink } from '@warren/nestjs';

/** Prints the counters, every ten seconds. */
export class Printed implements MetricsSink {
  private timer: NodeJS.Timeout | undefined;
  private collect: () => unknown = () => undefined;

  add(instrument: Instrument, labels: Labels, value: number): void {
    console.log(prometheusName(instrument), labels, value);
  }

  series(): (value: number) => void {
    return () => undefined;
  }

  start(collect: () => unknown): void {
    this.collect = collect;
    this.timer = setInterval(collect, 10_000).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.collect();
  }
}

export const plugins = [metrics(new Printed())];
// #endregion
