import { simulationProcess } from './simulation-process.ts';

/** `npm run simulate`: see `test/simulation/main.ts`. */
const child = await simulationProcess(process.argv.slice(2), 'inherit');
child.on('exit', (code) => (process.exitCode = code ?? 1));
