/**
 * Which requests the viewer answers at all. It listens on this machine only, but every page that the browser has open can
 * send requests here, and a name that a stranger's DNS resolves to 127.0.0.1 even reads the answers. So the Host must be
 * this server's own, the Origin too, and everything that is not on the list of routes is refused before any of it is used.
 */
import type { IncomingMessage } from 'node:http';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** What a person may open from anywhere: a link in a terminal that is itself a web page. */
  readonly isDocument?: boolean;
  /** Query parameters, all of them counts. */
  readonly query?: readonly string[];
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** The method that the route has, for the Allow header of a 405. */
  readonly allow?: string;
}

/** A request that may be answered: its route by exact path, its query checked. */
export interface Admitted<R extends Route> {
  readonly route: R;
  readonly query: ReadonlyMap<string, number>;
}

const refuse = (status: number, message: string, allow?: string): Refusal => ({
  status,
  message,
  ...(allow === undefined ? {} : { allow }),
});

/** The values that the Host header may have. A name other than localhost is how DNS rebinding gets in. */
function hostsOf(port: number): string[] {
  return ['127.0.0.1', 'localhost'].flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

/** How often a header was sent; Node keeps the first of several Hosts and says nothing. */
function countOf(request: IncomingMessage, name: string): number {
  return request.rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === name).length;
}

function originRefusal(request: IncomingMessage, port: number, route: Route): Refusal | undefined {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && !hostsOf(port).includes(origin.replace(/^http:\/\//, ''))) {
    return refuse(403, 'the Origin must be this page');
  }
  if (origin === undefined && route.method === 'POST') return refuse(403, 'a POST must name its Origin');
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  const isOpened = route.isDocument === true && request.headers['sec-fetch-mode'] === 'navigate';
  return isOpened ? undefined : refuse(403, 'other sites may not ask');
}

function queryOf(text: string, route: Route): ReadonlyMap<string, number> | Refusal {
  const values = new Map<string, number>();
  if (text === '') return values;
  for (const part of text.split('&')) {
    const [, name, digits] = /^([a-z]{1,20})=([0-9]{1,15})$/.exec(part) ?? [];
    if (name === undefined || digits === undefined || route.query?.includes(name) !== true || values.has(name)) {
      return refuse(400, 'the query is not one of this address');
    }
    values.set(name, Number(digits));
  }
  return values;
}

/** Looks at everything but the body of a request. */
export function admit<R extends Route>(
  request: IncomingMessage,
  port: number,
  routes: ReadonlyMap<string, R>,
): Admitted<R> | Refusal {
  const { headers, method } = request;
  if (countOf(request, 'host') !== 1 || !hostsOf(port).includes(headers.host ?? '')) {
    return refuse(403, 'the Host must be 127.0.0.1 or localhost with the port of this server');
  }
  if (countOf(request, 'origin') > 1) return refuse(403, 'the Origin must be given once');
  if (headers.upgrade !== undefined) return refuse(400, 'there is nothing to upgrade to');
  if (headers.expect !== undefined) return refuse(417, 'Expect is not supported');
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  // The path is compared as it was sent, never decoded or resolved: what is not a key of the map does not exist.
  const route = routes.get(mark < 0 ? url : url.slice(0, mark));
  if (route === undefined) return refuse(404, 'there is no such address');
  if (method !== route.method) return refuse(405, `only ${route.method} is possible here`, route.method);
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (route.method === 'GET' && hasBody) return refuse(400, 'a GET must have no body');
  const foreign = originRefusal(request, port, route);
  if (foreign !== undefined) return foreign;
  const query = queryOf(mark < 0 ? '' : url.slice(mark + 1), route);
  return query instanceof Map ? { route, query } : (query as Refusal);
}
