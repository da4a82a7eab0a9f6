import { OpenFlights } from '../../../src/operators/answers/open-flights.ts';

class Flight {
  next: Flight | undefined;
  isOpen = false;
  readonly identity: { readonly a: number; readonly b: number; readonly c: number; readonly d: number };

  constructor(a: number, b: number) {
    this.identity = { a, b, c: 0, d: 0 };
  }
}

/** Three hashes of one first word, and another one. */
const drawn = (): readonly Flight[] => [new Flight(1, 1), new Flight(1, 2), new Flight(1, 3), new Flight(2, 1)];

it.each([[[0]], [[1]], [[2]], [[3]], [[0, 1]], [[2, 0]], [[1, 2]], [[0, 1, 2, 3]]])(
  'calls whose hashes begin with the same word are kept apart, whichever of them end: %j',
  (ended) => {
    const flights = new OpenFlights<Flight>();
    const all = drawn();
    for (const flight of all) {
      expect(flights.get(flight.identity)).toBeUndefined();
      flights.add(flight);
    }
    for (const index of ended) flights.delete(all[index] as Flight);
    const open = all.filter((_, index) => !ended.includes(index));
    expect(all.filter((flight) => flights.get({ ...flight.identity }) === flight)).toEqual(open);
    expect(new Set(flights.all())).toEqual(new Set(open));
    expect(all.filter(({ isOpen }) => isOpen)).toEqual(open);
  },
);
