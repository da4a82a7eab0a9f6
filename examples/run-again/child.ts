import '../production.ts';
import { paidJob, type Places } from './paid-job.ts';

const places = JSON.parse(process.argv[2] as string) as Places;
const { receipt } = await paidJob(places).run({ stateDirectory: places.state }).result;
process.send?.(receipt.calls);
console.log(receipt.toString().replaceAll(/^/gm, '  '));
