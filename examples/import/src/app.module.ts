import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { Customers } from './customers.js';
import { FileReader } from './file-reader.js';
import { ImportProgress } from './import-progress.js';
import { RowWriter } from './row-writer.js';

@Module({
  imports: [RabbitModule.forRoot({ service: 'import', development: 'embedded' })],
  providers: [Customers, FileReader, RowWriter, ImportProgress],
})
export class AppModule {}
