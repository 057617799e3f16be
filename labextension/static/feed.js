// The way to the Jupyter server's extension: a websocket that tells, and requests that order.

const FIRST_WAIT = 1000; // milliseconds until a lost connection is tried again, doubled each time
const LONGEST_WAIT = 30000;

export class Feed {
  constructor({ services, url }, told) {
    this._connection = services.ServerConnection;
    this._url = url;
    this._told = told;
    this._socket = null;
    this._timer = 0;
    this._wait = FIRST_WAIT;
    this.settings = this._connection.makeSettings();
  }

  open() {
    if (this._socket) {
      return;
    }
    const { wsUrl, token, appendToken, WebSocket } = this.settings;
    const address = this._url.join(wsUrl, 'containerlab', 'feed');
    const socket = new WebSocket(appendToken && token ? `${address}?token=${encodeURIComponent(token)}` : address);
    this._socket = socket;
    socket.onmessage = ({ data }) => {
      this._wait = FIRST_WAIT;
      this._told({ lost: false, ...JSON.parse(data) });
    };
    socket.onclose = () => {
      if (this._socket === socket) {
        this._socket = null;
        this._told({ lost: true });
        this._timer = setTimeout(() => this.open(), this._wait);
        this._wait = Math.min(2 * this._wait, LONGEST_WAIT);
      }
    };
  }

  close() {
    clearTimeout(this._timer);
    const socket = this._socket;
    this._socket = null;
    socket?.close();
  }

  // Raises an Error with the server's reason.
  async order(path, method, body = {}) {
    const address = this._url.join(this.settings.baseUrl, 'containerlab', path);
    const init = { method, body: JSON.stringify(body) };
    const response = await this._connection.makeRequest(address, init, this.settings);
    if (!response.ok) {
      const said = await response.json().catch(() => ({}));
      throw new Error(said.reason || said.message || response.statusText);
    }
  }
}
