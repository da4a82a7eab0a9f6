import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** A column of a table. */
export interface TableColumn<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

interface DataTableProps<Row> {
  readonly label: string;
  readonly columns: readonly TableColumn<Row>[];
  readonly rowCount: number;
  readonly rowAt: (index: number) => Row;
  readonly onPick?: ((row: Row) => void) | undefined;
  readonly isPicked?: (row: Row) => boolean;
  readonly empty?: string;
}

const rowHeight = 28;
/** Rows drawn above and below those that can be seen. */
const margin = 12;

/** A table that draws only the rows in sight. Screen readers are told of all. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, columns, rowCount, rowAt, empty = 'Nothing yet' } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  const first = Math.max(0, Math.min(Math.floor(view.top / rowHeight) - margin, rowCount));
  const last = Math.min(rowCount, first + Math.ceil(view.height / rowHeight) + 2 * margin);
  const rows = Array.from({ length: last - first }, (_, at) => first + at);
  if (rowCount === 0) return <p class="empty">{empty}</p>;
  return (
    <div class="table-box" ref={box} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={rowCount + 1}>
        <thead>
          <tr>
            {columns.map(({ title, isNumber }) => (
              <th key={title} scope="col" class={isNumber ? 'number' : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer rows={first} columns={columns.length} />
          {rows.map((index) => (
            <TableRow key={index} index={index} row={rowAt(index)} {...props} />
          ))}
          <Spacer rows={rowCount - last} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

function Spacer({ rows, columns }: { rows: number; columns: number }) {
  if (rows === 0) return null;
  return (
    <tr aria-hidden="true" class="spacer" style={{ height: `${rows * rowHeight}px` }}>
      <td colSpan={columns} />
    </tr>
  );
}

function TableRow<Row>({ index, row, columns, onPick, isPicked }: DataTableProps<Row> & { index: number; row: Row }) {
  const picked = isPicked?.(row) === true;
  return (
    <tr aria-rowindex={index + 2} class={picked ? 'picked' : undefined} onClick={onPick && (() => onPick(row))}>
      {columns.map(({ title, isNumber, cell }, at) => (
        <td key={title} class={isNumber ? 'number' : undefined}>
          {at === 0 && onPick !== undefined ? (
            <button type="button" class="link" aria-pressed={picked} onClick={() => onPick(row)}>
              {cell(row)}
            </button>
          ) : (
            cell(row)
          )}
        </td>
      ))}
    </tr>
  );
}
