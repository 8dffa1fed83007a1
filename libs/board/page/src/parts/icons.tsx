// The icons: strokes on a grid of 16, in the colour of the text.
const paths = {
  services: 'M2.5 3.5h11v3.5h-11zM2.5 9h11v3.5h-11zM5 5.25h.01M5 10.75h.01',
  handlers: 'M2 8h2.5l2-4.5 3 9 2-4.5H14',
  dead: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.01',
  waiting: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM8 5v3.2l2 1.3',
  calls: 'M2.5 5.5h9M9 3l2.5 2.5L9 8M13.5 10.5h-9M7 8l-2.5 2.5L7 13',
  topology: 'M2.5 6h3.5v4H2.5zM10 2.5h3.5v3.5H10zM10 10h3.5v3.5H10zM6 8h2m0 0V4.2h2M8 8v3.8h2',
  journey:
    'M3.5 5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM3.5 5v3.5A2.5 2.5 0 0 0 6 11h4.5M12.5 12.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  tail: 'M2.5 4h11M2.5 7h8M2.5 10h11M2.5 13h5',
  publish: 'M13.5 2.5 2.5 7l4.5 2 2 4.5zM7 9l2.5-2.5',
  history: 'M2.5 8A5.5 5.5 0 1 0 4.4 3.8M4.4 1.5v2.6H7M8 5v3.2l2 1.3',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.3 10.3l3.2 3.2',
  close: 'm4 4 8 8M12 4l-8 8',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  sun: 'M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z',
  auto: 'M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5v9l7-4.5z',
  replay: 'M3 8a5 5 0 1 0 1.6-3.7M4.5 1.8v2.7h2.7',
  edit: 'M3 13h2.5L13 5.5 10.5 3 3 10.5z',
  drop: 'M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  down: 'm4 6 4 4 4-4',
  right: 'm6 4 4 4-4 4',
  back: 'm10 4-4 4 4 4',
  warn: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM8 5v3.5M8 10.9v.01',
  check: 'm3.5 8.5 3 3 6-7',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
