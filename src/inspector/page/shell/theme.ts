import { effect, signal } from '@preact/signals';

/** `system`: as the browser says. */
export type Theme = 'system' | 'light' | 'dark';

const stored = 'kintsugi-theme';
const preference = matchMedia('(prefers-color-scheme: dark)');

function storedTheme(): Theme {
  const theme = localStorage.getItem(stored);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

/** The theme that the user chose. */
export const theme = signal<Theme>(storedTheme());

const prefersDark = signal(preference.matches);
preference.addEventListener('change', ({ matches }) => {
  prefersDark.value = matches;
});

/** Whether the page is dark; pictures on a canvas read the colours again when it changes. */
export const isDark = signal(false);

effect(() => {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && prefersDark.value);
  document.documentElement.dataset['theme'] = isDark.value ? 'dark' : 'light';
  if (theme.value === 'system') localStorage.removeItem(stored);
  else localStorage.setItem(stored, theme.value);
});

/** The value of a colour of the design system, for a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
