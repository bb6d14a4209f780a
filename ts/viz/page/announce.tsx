/** One polite live region: what is said last is read, once things have been still for a moment. */
import { useEffect, useState } from 'preact/hooks';

const STILL_MS = 350;

export function Announcer({ text }: { readonly text: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), STILL_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p role="status" class="sr">
      {said}
    </p>
  );
}
