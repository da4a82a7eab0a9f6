import type { RunPicture } from '../../recording/run-picture.ts';
import { formatCount } from '../shell/format.ts';

/** Records that `onError` rejected: those of attempts that finished, whose output counts. */
export function RejectedTable({ picture }: { picture: RunPicture }) {
  const rejected = picture.rejected.value();
  if (rejected.length === 0) return null;
  return (
    <section class="block" aria-label="Rejected records">
      <h2 class="part">Rejected records</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Operator</th>
            <th scope="col" class="number">
              Dead letters
            </th>
            <th scope="col" class="number">
              Skipped
            </th>
            <th scope="col" class="number">
              Replaced
            </th>
          </tr>
        </thead>
        <tbody>
          {rejected.map(({ operator, deadLetters, skipped, replaced }) => (
            <tr key={operator}>
              <td>{operator}</td>
              <td class="number">{formatCount(deadLetters)}</td>
              <td class="number">{formatCount(skipped)}</td>
              <td class="number">{formatCount(replaced)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
