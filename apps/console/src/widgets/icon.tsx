/** Outlines on a grid of 24, drawn for this page. */
const PATHS = {
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  dark: 'M20 14.500A8 8 0 0 1 9.500 4a8 8 0 1 0 10.500 10.500z',
  key: 'M14.500 9.500a4 4 0 1 1-4-4 4 4 0 0 1 4 4zM13.500 12.500L20 19m-3 0l2-2',
  keyboard: 'M3 7h18v10H3zM7 10.500h.01M11 10.500h.01M15 10.500h.01M8 14h8',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400',
  new: 'M12 5v14M5 12h14',
  retry: 'M19 12a7 7 0 1 1-2.200-5.100M19 3.500v4h-4',
  send: 'M12 19V5M6 11l6-6 6 6',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5',
  stop: 'M7 7h10v10H7z',
  system: 'M3.500 5h17v11h-17zM9 20h6M12 16v4',
  warning: 'M12 4l9 16H3zM12 10v4.500M12 17.300v.2',
} as const;

export type IconName = keyof typeof PATHS;

/** Beside a label, or in a button that has one. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
