import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ProblemNotice } from '../widgets/problem-notice.js';

/** A page whose code is loaded when it is first opened, so that those who chat do not wait for charts. */
export function lazyPage<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | undefined;
  return function LazyPage(props: Props) {
    const [hasFailed, setFailed] = useState(false);
    const [, redraw] = useState(false);
    useEffect(() => {
      if (loaded !== undefined) return;
      load().then(
        (page) => {
          loaded = page;
          redraw(true);
        },
        () => setFailed(true),
      );
    }, []);
    if (loaded !== undefined) {
      const Page = loaded;
      return <Page {...props} />;
    }
    if (!hasFailed) return <div class="page" aria-busy="true" />;
    const message =
      'This part of the console cannot be loaded. The gateway may be another version now: load the page anew.';
    return (
      <div class="page">
        <ProblemNotice problem={{ message, code: 'network' }} onRetry={() => location.reload()} />
      </div>
    );
  };
}
