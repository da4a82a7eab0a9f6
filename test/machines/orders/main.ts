import { ordersOfTwoRegions, walkOrders } from './walk-orders.ts';

/** `npm run orders`: walks through every state that an order of the messages of a job of two regions leads to. */
function main(): void {
  let total = 0;
  for (const orders of ordersOfTwoRegions) {
    const { states, endings } = walkOrders(orders);
    total += states;
    process.stdout.write(`${states} states, ${endings} endings: ${orders.strikes.join(', ') || 'undisturbed'}\n`);
  }
  process.stdout.write(`${total} states, all of which end right\n`);
}

main();
