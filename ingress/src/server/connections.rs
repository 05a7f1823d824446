//! The open connections of this task: their number is bounded in total, and for each IP address where no proxy stands in
//! front. A connection without a request yields to a new one, the longest idle first, so that silent connections keep no
//! client out. Where every connection has a request, a small reserve takes health checks.
//!
//! It accepts and serves nothing: that is [`super::accept`] and [`super::connection`].

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Connections beyond the bound, for health checks.
pub const HEALTH_CONNECTIONS_MAX: usize = 16;

/// Time until the first request of a connection is complete up to its body.
pub const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time in which a request makes progress: its response begins, and then the client takes each part of it. Result streams
/// have a comment every 15 s.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);

/// Time after which a connection is closed when its requests are done.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3_600);

/// The bounds of the connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections in total, without the reserve.
    pub max: usize,
    /// Connections of one IPv4 address or IPv6 /64; `None` behind a proxy, which has one address for all clients.
    pub per_address_max: Option<usize>,
    /// Time that a connection may be without a request.
    pub idle_timeout: Duration,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    state: Arc<Mutex<State>>,
    metrics: Arc<Metrics>,
}

/// What a connection may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    Full,
    /// The health check.
    HealthCheck,
}

/// The place of one connection. It is kept as long as the socket, also when that has become a WebSocket.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    id: u64,
    access: Access,
    /// Cancelled when the connection has to yield to another.
    evicted: CancellationToken,
    activity: Mutex<Activity>,
}

/// A request that is being served; dropping it ends the request.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Place>);

#[derive(Debug)]
struct Activity {
    requests: usize,
    /// Whether there was a request.
    used: bool,
    /// When the connection last made progress.
    since: Instant,
}

#[derive(Debug)]
struct State {
    next_id: u64,
    open: HashMap<u64, Open>,
    full: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Connections without a request; the first to yield is the last.
    idle: LruCache<u64, ()>,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    access: Access,
    evicted: CancellationToken,
}

impl Connections {
    /// No connection is open.
    #[must_use]
    pub fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        let state = State {
            next_id: 0,
            open: HashMap::new(),
            full: 0,
            by_address: HashMap::new(),
            idle: LruCache::unbounded(),
        };
        Self { limits, state: Arc::new(Mutex::new(state)), metrics }
    }

    /// Number of open connections, WebSockets included.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.state).open.len()
    }

    /// A place for a new connection of a client at `ip`; `None` if it has to be closed.
    pub(super) fn admit(&self, ip: IpAddr) -> Option<Arc<Place>> {
        let address = network(ip);
        let mut state = lock(&self.state);
        let of_address = state.by_address.get(&address).copied().unwrap_or(0);
        let crowd = self.limits.per_address_max.filter(|max| of_address >= *max).map(|_| address);
        let full = crowd.is_some() || state.full >= self.limits.max;
        let access =
            if !full || state.evict(Access::Full, crowd) { Access::Full } else { Access::HealthCheck };
        if full {
            self.metrics.refused_connections.increment();
        }
        let reserved = state.open.len() - state.full;
        if access == Access::HealthCheck
            && reserved >= HEALTH_CONNECTIONS_MAX
            && !state.evict(Access::HealthCheck, None)
        {
            return None;
        }
        Some(self.open(&mut state, address, access))
    }

    fn open(&self, state: &mut State, address: IpAddr, access: Access) -> Arc<Place> {
        let (id, evicted) = (state.next_id, CancellationToken::new());
        state.next_id += 1;
        if access == Access::Full {
            state.full += 1;
            *state.by_address.entry(address).or_default() += 1;
        }
        state.open.insert(id, Open { address, access, evicted: evicted.clone() });
        state.idle.put(id, ());
        let activity = Mutex::new(Activity { requests: 0, used: false, since: Instant::now() });
        Arc::new(Place { connections: self.clone(), id, access, evicted, activity })
    }
}

impl State {
    /// Makes the longest idle connection with this access yield, of `address` where it is given. Returns whether there was one.
    fn evict(&mut self, access: Access, address: Option<IpAddr>) -> bool {
        let fits = |id: &u64| {
            let open = self.open.get(id);
            open.is_some_and(|open| {
                open.access == access && address.is_none_or(|address| open.address == address)
            })
        };
        let Some(id) = self.idle.iter().rev().map(|(id, ())| *id).find(fits) else { return false };
        if let Some(open) = self.remove(id) {
            open.evicted.cancel();
        }
        true
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.idle.pop(&id);
        if open.access == Access::Full {
            self.full -= 1;
            if let Some(count) = self.by_address.get_mut(&open.address) {
                *count -= 1;
                if *count == 0 {
                    self.by_address.remove(&open.address);
                }
            }
        }
        Some(open)
    }
}

impl Place {
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Returns when the connection has to yield.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        let mut activity = lock(&self.activity);
        activity.requests += 1;
        activity.used = true;
        activity.since = Instant::now();
        if activity.requests == 1 {
            lock(&self.connections.state).idle.pop(&self.id);
        }
        InFlight(Arc::clone(self))
    }

    /// Keeps a connection that becomes a WebSocket, which has deadlines of its own.
    pub(super) fn keep(&self) {
        lock(&self.activity).requests += 1;
    }

    /// When the connection is closed if nothing happens until then.
    pub(super) fn deadline(&self) -> Instant {
        let activity = lock(&self.activity);
        let timeout = match (activity.requests, activity.used) {
            (0, false) => FIRST_REQUEST_TIMEOUT,
            (0, true) => self.connections.limits.idle_timeout,
            (_, _) => PROGRESS_TIMEOUT,
        };
        activity.since + timeout
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.connections.state).remove(self.id);
    }
}

impl InFlight {
    /// Notes that a part of the response was taken.
    pub(super) fn progressed(&self) {
        lock(&self.0.activity).since = Instant::now();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut activity = lock(&self.0.activity);
        activity.requests -= 1;
        activity.since = Instant::now();
        if activity.requests == 0 {
            let mut state = lock(&self.0.connections.state);
            if state.open.contains_key(&self.0.id) {
                state.idle.put(self.0.id, ());
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address, which one client has whole.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn connections(max: usize, per_address_max: Option<usize>) -> Connections {
        let limits = ConnectionLimits { max, per_address_max, idle_timeout: Duration::from_secs(75) };
        Connections::new(limits, Arc::default())
    }

    fn client(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    #[tokio::test(start_paused = true)]
    async fn new_connection_at_the_bound_replaces_the_longest_idle_one() {
        let connections = connections(2, None);
        let first = connections.admit(client(1)).unwrap();
        let second = connections.admit(client(2)).unwrap();
        drop(first.begin());
        let third = connections.admit(client(3)).unwrap();
        assert!(second.evicted.is_cancelled() && !first.evicted.is_cancelled());
        assert_eq!((third.access(), connections.count()), (Access::Full, 2));
        drop(second);
        assert_eq!(connections.count(), 2, "an evicted place is not given back twice");
        drop((first, third));
        assert_eq!(connections.count(), 0);
        let state = lock(&connections.state);
        assert!(state.by_address.is_empty() && state.idle.is_empty() && state.full == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn reserve_takes_health_checks_while_every_connection_has_a_request() {
        let connections = connections(2, None);
        let busy: Vec<_> = (0..2).map(|n| connections.admit(client(n)).unwrap()).collect();
        let requests: Vec<_> = busy.iter().map(Place::begin).collect();
        let reserve: Vec<_> =
            (0..HEALTH_CONNECTIONS_MAX).map(|_| connections.admit(client(9)).unwrap()).collect();
        assert!(reserve.iter().all(|place| place.access() == Access::HealthCheck));
        let one_more = connections.admit(client(9)).unwrap();
        assert!(reserve[0].evicted.is_cancelled() && one_more.access() == Access::HealthCheck);
        let checks: Vec<_> = reserve[1..].iter().chain([&one_more]).map(Place::begin).collect();
        assert!(connections.admit(client(9)).is_none(), "all of the reserve is in use");
        drop((requests, checks));
        assert_eq!(connections.admit(client(9)).unwrap().access(), Access::Full);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_its_own_bound_and_replaces_only_its_own_connections() {
        let connections = connections(10, Some(2));
        let other = connections.admit(client(1)).unwrap();
        let own = [connections.admit(client(2)).unwrap(), connections.admit(client(2)).unwrap()];
        let third = connections.admit(client(2)).unwrap();
        assert!(own[0].evicted.is_cancelled() && !other.evicted.is_cancelled());
        let _requests = [own[1].begin(), third.begin()];
        assert_eq!(connections.admit(client(2)).unwrap().access(), Access::HealthCheck);
        assert_eq!(connections.admit(client(3)).unwrap().access(), Access::Full);
        let v6 = |text: &str| network(text.parse().unwrap());
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:2"));
        assert_eq!(v6("::ffff:192.0.2.2"), client(2));
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_depends_on_what_the_connection_does() {
        let place = connections(2, None).admit(client(1)).unwrap();
        let begun = Instant::now();
        assert_eq!(place.deadline(), begun + FIRST_REQUEST_TIMEOUT);
        let request = place.begin();
        assert_eq!(place.deadline(), begun + PROGRESS_TIMEOUT);
        tokio::time::advance(Duration::from_secs(50)).await;
        request.progressed();
        assert_eq!(place.deadline(), begun + Duration::from_secs(50) + PROGRESS_TIMEOUT);
        drop(request);
        assert_eq!(place.deadline(), begun + Duration::from_secs(50 + 75));
    }
}
