/**
 * The events of an auction site, after the Nexmark benchmark: of 50 events one is a new person, three are new auctions and
 * 46 are bids. Half of the bids are for the hot auction of the moment, and three quarters come from its hot bidder.
 *
 * Event number `n` depends on `n` alone, so a stream of them can be read again from any place.
 */

/** Somebody who sells or bids. */
export interface Person {
  readonly kind: 'person';
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly creditCard: string;
  readonly city: string;
  readonly state: string;
  readonly timeMs: number;
  readonly extra: string;
}

/** Something for sale. */
export interface Auction {
  readonly kind: 'auction';
  readonly id: number;
  readonly item: string;
  readonly description: string;
  readonly initialBid: number;
  readonly reserve: number;
  readonly seller: number;
  readonly category: number;
  readonly endsMs: number;
  readonly timeMs: number;
  readonly extra: string;
}

/** An offer for an auction, in US cents. */
export interface Bid {
  readonly kind: 'bid';
  readonly auction: number;
  readonly bidder: number;
  readonly price: number;
  readonly channel: string;
  readonly url: string;
  readonly timeMs: number;
  readonly extra: string;
}

export type NexmarkEvent = Person | Auction | Bid;

/** Events in which the kinds have their shares. */
export const round = 50;
const personsPerRound = 1;
const auctionsPerRound = 3;

/** A new auction or bidder becomes hot after this many others. */
const hotEvery = 100;

const names = ['Amelie', 'Bruno', 'Chiara', 'Dario', 'Elif', 'Fabian', 'Giulia', 'Henrik', 'Ines', 'Jakob'];
const places = [
  { city: 'Portland', state: 'OR' },
  { city: 'Phoenix', state: 'AZ' },
  { city: 'Seattle', state: 'WA' },
  { city: 'Boise', state: 'ID' },
  { city: 'Redmond', state: 'WA' },
];
const channels = ['Apple', 'Baidu', 'Facebook', 'Google'];
const extras = ['nzpqvhtoae', 'wktbxrqafl', 'ohzmgdyuic', 'rlsewbkpjn', 'xqfyctvmda', 'iugnoezhwb', 'kdpjlrsaqx'];
const urls = channels.map((channel) => `https://www.nexmark.test/${channel.toLowerCase()}/item.htm?query=1`);

/** Event number `n`, from 0. */
export function eventAt(n: number): NexmarkEvent {
  const rounds = Math.floor(n / round);
  const place = n - rounds * round;
  if (place >= personsPerRound + auctionsPerRound) return bidAt(n, rounds);
  return place < personsPerRound ? personAt(n, rounds) : auctionAt(n, rounds, place - personsPerRound);
}

function bidAt(n: number, rounds: number): Bid {
  const dice = mixed(n);
  const more = mixed(dice);
  const auctions = (rounds + 1) * auctionsPerRound;
  const auction = (dice & 1) === 0 ? hotOf(auctions) : recentOf(auctions, dice >>> 4);
  const bidder = (dice & 6) !== 0 ? hotOf(rounds + 1) : recentOf(rounds + 1, more >>> 4);
  const channel = (more >>> 2) & 3;
  return {
    kind: 'bid',
    auction,
    bidder,
    price: 100 + ((more >>> 4) % 1_000_000),
    channel: channels[channel] as string,
    url: urls[channel] as string,
    timeMs: timeOf(n),
    extra: extraOf(dice),
  };
}

function personAt(n: number, rounds: number): Person {
  const dice = mixed(n);
  const { city, state } = places[dice % places.length] as (typeof places)[number];
  const name = names[(dice >>> 8) % names.length] as string;
  return {
    kind: 'person',
    id: rounds,
    name,
    email: `${name}@nexmark.test`,
    creditCard: '1234 5678 9012 3456',
    city,
    state,
    timeMs: timeOf(n),
    extra: extraOf(dice),
  };
}

function auctionAt(n: number, rounds: number, place: number): Auction {
  const dice = mixed(n);
  const timeMs = timeOf(n);
  const initialBid = 100 + ((dice >>> 8) % 10_000);
  return {
    kind: 'auction',
    id: rounds * auctionsPerRound + place,
    item: extraOf(dice),
    description: extraOf(dice >>> 8),
    initialBid,
    reserve: initialBid + ((dice >>> 16) % 10_000),
    seller: (dice & 3) === 0 ? recentOf(rounds + 1, dice >>> 4) : hotOf(rounds + 1),
    category: 10 + (dice % 5),
    endsMs: timeMs + 1_000 + (dice % 20_000),
    timeMs,
    extra: extraOf(dice >>> 4),
  };
}

/** The hot one of `count` ids: the latest that is a multiple of {@link hotEvery}. */
function hotOf(count: number): number {
  const last = count - 1;
  return last - (last % hotEvery);
}

/** One of the last 1 000 of `count` ids. */
function recentOf(count: number, dice: number): number {
  return count - 1 - (dice % Math.min(count, 1_000));
}

function extraOf(dice: number): string {
  return extras[dice % extras.length] as string;
}

/** Ten events a millisecond. */
function timeOf(n: number): number {
  return 1_700_000_000_000 + Math.floor(n / 10);
}

/** An even spread over 32 bits: the finalizer of murmur3. */
function mixed(n: number): number {
  let bits = n + 0x9e_37_79_b9;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85_eb_ca_6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2_b2_ae_35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
