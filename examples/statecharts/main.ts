import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { statechartsPage } from './page.ts';

await writeFile(join(import.meta.dirname, '..', '..', 'docs', 'statecharts.md'), statechartsPage());
