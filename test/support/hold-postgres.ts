// A process of its own that starts the embedded PostgreSQL, writes one durable row, says so and waits to be killed.
import pg from 'pg';
import { startEmbeddedPostgres } from '../../libs/platform/src/embedded-postgres/embedded-postgres.js';

const [, , dataDir = ''] = process.argv;
const postgres = await startEmbeddedPostgres({ dataDir });
const client = new pg.Client({ connectionString: postgres.ownerUrl });
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS kept (n int)');
await client.query('INSERT INTO kept VALUES (1)');
process.stdout.write(`${JSON.stringify({ pid: postgres.pid })}\n`);
process.stdin.on('end', () => void client.end().then(() => postgres.stop()));
process.stdin.resume();
