// What docs/health.md shows. Compiled with everything else, and run by test/docs.
// #region endpoints
import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { RabbitHealthIndicator } from '@warren/nestjs/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly rabbit: RabbitHealthIndicator,
  ) {}

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rabbit.live('rabbit')]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rabbit.ready('rabbit')]);
  }
}

@Module({
  imports: [TerminusModule],
  controllers: [HealthController],
  providers: [RabbitHealthIndicator],
})
export class HealthModule {}
// #endregion

// #region plain
import { ServiceUnavailableException } from '@nestjs/common';

@Controller()
export class ReadyController {
  constructor(private readonly rabbit: RabbitHealthIndicator) {}

  @Get('ready')
  ready(): string {
    const { ready, problems } = this.rabbit.check({
      connections: 'default',
      maxBlocked: '1m',
      publishBuffer: 0.5,
    });
    if (!ready) throw new ServiceUnavailableException(problems);
    return 'ready';
  }
}
// #endregion
