//! The states of a run in Redis, and the scripts that change them. Each script is one step of the lease contract: Redis
//! runs it whole, and writes it to its log whole.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `haul:{RUN}:run` | hash | the state, the settings, the totals |
//! | `haul:{RUN}:slices` | stream | slices that aren't acknowledged; the group `nodes` has their leases |
//! | `haul:{RUN}:leases` | hash | the token of each lease, by slice |
//! | `haul:{RUN}:holders` | hash | who holds each lease, by slice |
//! | `haul:{RUN}:reasons` | hash | why leases of a slice ended without an acknowledgement |
//! | `haul:{RUN}:prepared` | hash | the ends of slices whose results are about to appear, by slice and attempt |
//! | `haul:{RUN}:done` | hash | token and report of each acknowledged slice |
//! | `haul:{RUN}:failed` | hash | the failures of each acknowledged slice that has any |
//! | `haul:{RUN}:aside` | hash | slices that were set aside |
//! | `haul:{RUN}:seen` | sorted set | when each node was heard last, in milliseconds |
//! | `haul:{RUN}:hosts` | hash | the shares of nodes at each host |
//! | `haul:{RUN}:stale` | sorted set | when the last share of a host ends, in milliseconds |
//! | `haul:{RUN}:pauses` | sorted set | until when each host wants no requests, in milliseconds |
//! | `haul:{RUN}:news` | stream | hosts that were paused, or where a node has less than its share; the last thousand |
//!
//! The states of a run are `filling`, `full` and `cancelled`.
//!
//! Owns: names of keys, texts of scripts.
//! Does not own: sending them ([`crate::server`]), when a node calls which ([`crate::member`]).

/// One step of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Script {
    /// Creates a run. Arguments: its settings as pairs. Answers 1, or 0 if there is one of this name.
    Create,
    /// Adds a slice. Arguments: its number, the number of its lines, its content. Answers 1; also if the slice was
    /// added before, so that a lost answer can be repeated.
    Add,
    /// Declares that all slices were added. Arguments: members of the run as pairs. Answers 1.
    Fill,
    /// Leases a slice. Arguments: node, its name for people, token. Answers `slice`, ID, content, deliveries, lease in
    /// milliseconds, pairs of name and identity of what was prepared; or `later`, `end`, `cancelled`, `none`.
    Take,
    /// Keeps leases alive. Arguments: node, then ID and token of each. Answers the state, and 1 or 0 for each lease.
    Renew,
    /// Acknowledges a slice. Arguments: node, ID, token, report, failures (empty if there are none), then pairs of
    /// totals and what they grow by. Answers 1, or 0 if the lease has another owner.
    Finish,
    /// Stores the end of a slice before its results appear, all at once. Arguments: node, ID, token, how many of the
    /// slice were prepared before, name and identity of the results, then report, failures and totals as for *finish*.
    /// Answers 1, or 0 if the lease has another owner or another number of ends was prepared.
    Prepare,
    /// Acknowledges a slice whose results have appeared, with the end that was prepared. Arguments: node, ID, token,
    /// how many were prepared before. Answers as *finish* does.
    Adopt,
    /// Gives a slice back, as if it had never been delivered. Arguments: node, ID, token. Answers 1 or 0.
    Release,
    /// Removes the node, if it has no lease. Arguments: node. Answers 1.
    Leave,
    /// Answers the members of the run, the number of leases, and the time in milliseconds, then what `HGETALL` of the
    /// holders and the nodes with the times when they were heard say.
    Status,
    /// Cancels the run. Arguments: 1 to remove everything. Answers 1, or 0 if there is no such run.
    Cancel,
    /// Has slices tried again. Arguments: `aside` or `failed`, ID, the number of lines, the content of the new slice
    /// (empty to take that of the slice set aside). Answers 1, or 0 if it was done before.
    Retry,
    /// Lists a part of what is stored by slice. Arguments: `done`, `failed`, `aside` or `reasons`, cursor (0 at the
    /// start). Answers the next cursor (0 at the end), and pairs.
    List,
    /// Asks for shares of hosts. Arguments: node, the position in the news (empty at the start), the number of the
    /// call, most permits at a host (0: no limit), 1 if there is a rate, the length of a lease in milliseconds; then
    /// for each host its name, the permits and the part of the rate that the node uses, the permits that it wants (none
    /// to give all back, -1 to ask for nothing), and the pause to begin in milliseconds. Parts are in millionths.
    /// Answers the state; the position; pairs of hosts in the news and the milliseconds that each is paused for; and
    /// for each host permits, the part, and 1 if others want more than they have.
    Hosts,
}

/// Of Redis before version 7: the effects of a script are logged, not its text.
const PRELUDE: &str = "if redis.replicate_commands then redis.replicate_commands() end
local run, slices, leases, holders, reasons = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local done, failed, aside, seen = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local hosts, stale, pauses, news, prepared = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
";

const CREATE: &str = "if redis.call('EXISTS', run) == 1 then return 0 end
redis.call('HSET', run, 'state', 'filling', 'slices', 0, 'lines', 0, unpack(ARGV))
redis.call('XGROUP', 'CREATE', slices, 'nodes', '0', 'MKSTREAM')
return 1
";

const ADD: &str = "local state = redis.call('HGET', run, 'state')
if state ~= 'filling' then return redis.error_reply('STATE ' .. (state or 'none')) end
local count = tonumber(redis.call('HGET', run, 'slices'))
if tonumber(ARGV[1]) <= count then return 1 end
redis.call('XADD', slices, ARGV[1] .. '-0', 'l', ARGV[2], 'd', ARGV[3])
redis.call('HSET', run, 'slices', ARGV[1])
redis.call('HINCRBY', run, 'lines', ARGV[2])
return 1
";

const FILL: &str = "local state = redis.call('HGET', run, 'state')
if state == 'filling' then redis.call('HSET', run, 'state', 'full', unpack(ARGV)) end
return 1
";

const TAKE: &str = "local state = redis.call('HGET', run, 'state')
if not state then return {'none'} end
if state == 'cancelled' then return {'cancelled'} end
local node, name, token = ARGV[1], ARGV[2], ARGV[3]
local lease = tonumber(redis.call('HGET', run, 'lease_ms'))
local deliveries_max = tonumber(redis.call('HGET', run, 'deliveries_max'))
local now = now_ms()
redis.call('ZADD', seen, now, node .. ' ' .. name)
local function content(entry)
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'd' then return fields[i + 1] end
  end
end
local function attempts(id)
  local found, stored = {}, redis.call('HGET', prepared, id .. ' 0')
  while stored do
    local attempt = cmsgpack.unpack(stored)
    found[#found + 1] = attempt[1]
    found[#found + 1] = attempt[2]
    stored = redis.call('HGET', prepared, id .. ' ' .. #found / 2)
  end
  return found
end
local function give(entry, deliveries)
  redis.call('HSET', leases, entry[1], token)
  redis.call('HSET', holders, entry[1], name)
  return {'slice', entry[1], content(entry), deliveries, lease, attempts(entry[1])}
end
while true do
  local silent = redis.call('XPENDING', slices, 'nodes', 'IDLE', lease, '-', '+', 1)[1]
  if not silent then break end
  local entry = redis.call('XAUTOCLAIM', slices, 'nodes', node, lease, silent[1], 'COUNT', 1)[2][1]
  if not entry then break end
  local id = entry[1]
  local deliveries = redis.call('XPENDING', slices, 'nodes', id, id, 1)[1][4]
  if redis.call('HEXISTS', leases, id) == 1 then
    local holder = redis.call('HGET', holders, id) or '?'
    local before = redis.call('HGET', reasons, id)
    local reason = holder .. ' was silent for longer than its lease'
    redis.call('HSET', reasons, id, before and (before .. '; ' .. reason) or reason)
    redis.call('HDEL', leases, id)
    redis.call('HDEL', holders, id)
  end
  if deliveries <= deliveries_max * (1 + #attempts(id) / 2) then return give(entry, deliveries) end
  redis.call('HSET', aside, id, content(entry))
  redis.call('XACK', slices, 'nodes', id)
  redis.call('XDEL', slices, id)
  redis.call('HINCRBY', run, 'aside', 1)
end
local read = redis.call('XREADGROUP', 'GROUP', 'nodes', node, 'COUNT', 1, 'STREAMS', slices, '>')
if read then return give(read[1][2][1], 1) end
if state == 'full' and redis.call('XPENDING', slices, 'nodes')[1] == 0 then return {'end'} end
return {'later'}
";

const RENEW: &str = "local answer = {redis.call('HGET', run, 'state') or 'none'}
local node = ARGV[1]
for i = 2, #ARGV, 2 do
  local is_kept = 0
  if redis.call('HGET', leases, ARGV[i]) == ARGV[i + 1] then
    is_kept = #redis.call('XCLAIM', slices, 'nodes', node, 0, ARGV[i], 'IDLE', 0, 'JUSTID')
  end
  answer[#answer + 1] = is_kept
end
local member = redis.call('ZRANGE', seen, 0, -1)
for _, each in ipairs(member) do
  if string.sub(each, 1, #node) == node then redis.call('ZADD', seen, now_ms(), each) end
end
return answer
";

const PREPARE: &str = "local node, id, token, attempt = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('HGET', leases, id) ~= token then return 0 end
if attempt > 0 and redis.call('HEXISTS', prepared, id .. ' ' .. (attempt - 1)) == 0 then return 0 end
local field, kept = id .. ' ' .. attempt, cmsgpack.pack({unpack(ARGV, 5)})
local before = redis.call('HGET', prepared, field)
if before and before ~= kept then return 0 end
redis.call('HSET', prepared, field, kept)
return 1
";

/// Before [`FINISH`]: its arguments are those that were prepared.
const ADOPT: &str = "local given = ARGV
local kept = redis.call('HGET', prepared, ARGV[2] .. ' ' .. ARGV[4])
kept = kept and cmsgpack.unpack(kept) or {}
local ARGV = {given[1], given[2], given[3], unpack(kept, 3)}
";

const FINISH: &str = "local node, id, token = ARGV[1], ARGV[2], ARGV[3]
local stored = redis.call('HGET', done, id)
if stored and string.sub(stored, 1, #token) == token then return 1 end
if redis.call('HGET', leases, id) ~= token or not ARGV[4] then return 0 end
redis.call('XACK', slices, 'nodes', id)
redis.call('XDEL', slices, id)
redis.call('HDEL', leases, id)
redis.call('HDEL', holders, id)
redis.call('HDEL', reasons, id)
local attempt = 0
while redis.call('HDEL', prepared, id .. ' ' .. attempt) == 1 do attempt = attempt + 1 end
redis.call('HSET', done, id, token .. ARGV[4])
if #ARGV[5] > 0 then redis.call('HSET', failed, id, ARGV[5]) end
redis.call('HINCRBY', run, 'done', 1)
for i = 6, #ARGV, 2 do redis.call('HINCRBY', run, ARGV[i], ARGV[i + 1]) end
return 1
";

const RELEASE: &str = "local node, id, token = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', leases, id) ~= token then return 0 end
redis.call('HDEL', leases, id)
redis.call('HDEL', holders, id)
local pending = redis.call('XPENDING', slices, 'nodes', id, id, 1)[1]
local deliveries = pending and pending[4] or 1
redis.call('XCLAIM', slices, 'nodes', node, 0, id, 'TIME', 0, 'RETRYCOUNT', deliveries - 1, 'JUSTID')
return 1
";

const LEAVE: &str = "local node = ARGV[1]
for _, each in ipairs(redis.call('ZRANGE', seen, 0, -1)) do
  if string.sub(each, 1, #node) == node then redis.call('ZREM', seen, each) end
end
if redis.call('EXISTS', slices) == 0 then return 1 end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', slices, 'nodes')) do
  if consumer[2] == node and consumer[4] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', slices, 'nodes', node)
  end
end
return 1
";

const STATUS: &str = "if redis.call('EXISTS', run) == 0 then return {} end
local leased = redis.call('XPENDING', slices, 'nodes')[1]
local nodes = redis.call('ZRANGE', seen, 0, -1, 'WITHSCORES')
return {redis.call('HGETALL', run), leased, now_ms(), redis.call('HGETALL', holders), nodes}
";

const CANCEL: &str = "local exists = redis.call('EXISTS', run)
if ARGV[1] == '1' then
  for _, key in ipairs(KEYS) do redis.call('UNLINK', key) end
elseif exists == 1 then
  redis.call('HSET', run, 'state', 'cancelled')
end
return exists
";

const RETRY: &str = "local from = ARGV[1] == 'aside' and aside or failed
local content = redis.call('HGET', from, ARGV[2])
if not content then return 0 end
if #ARGV[4] > 0 then content = ARGV[4] end
local number = redis.call('HINCRBY', run, 'slices', 1)
redis.call('XADD', slices, number .. '-0', 'l', ARGV[3], 'd', content)
redis.call('HDEL', from, ARGV[2])
if ARGV[1] == 'aside' then
  redis.call('HDEL', reasons, ARGV[2])
  local attempt, stored = 0, redis.call('HGET', prepared, ARGV[2] .. ' 0')
  while stored do
    redis.call('HSET', prepared, number .. '-0 ' .. attempt, stored)
    redis.call('HDEL', prepared, ARGV[2] .. ' ' .. attempt)
    attempt = attempt + 1
    stored = redis.call('HGET', prepared, ARGV[2] .. ' ' .. attempt)
  end
  redis.call('HINCRBY', run, 'aside', -1)
  redis.call('HINCRBY', run, 'retried', 1)
else
  redis.call('HINCRBY', run, 'failed', -tonumber(ARGV[3]))
end
return 1
";

const LIST: &str = "local known = {done = done, failed = failed, aside = aside, reasons = reasons}
return redis.call('HSCAN', known[ARGV[1]], ARGV[2], 'COUNT', 100)
";

/// The record of a host is a word `NODE=call,permits,wanted,part,heard` for each node, with the time in milliseconds.
/// Where there are fewer permits than nodes, the second decides who may have them.
const HOSTS: &str = "local state = redis.call('HGET', run, 'state')
if not state then return {'none'} end
local node, cursor, call, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local has_rate, lease = ARGV[5] == '1', tonumber(ARGV[6])
local now = now_ms()
local function tell(host) redis.call('XADD', news, 'MAXLEN', '~', 1000, '*', 'h', host) end
local function share(used, used_part, wanted, host)
  local known, names, before = {}, {node}, nil
  for name, text in string.gmatch(redis.call('HGET', hosts, host) or '', '(%S+)=(%S+)') do
    local number, held, want, part, heard = string.match(text, '(%d+),(%d+),(%d+),(%d+),(%d+)')
    local one = {name = name, call = tonumber(number), held = tonumber(held), want = tonumber(want),
      part = tonumber(part), heard = tonumber(heard)}
    if name == node then
      before = one
    elseif now - one.heard < lease then
      known[#known + 1] = one
      names[#names + 1] = name
    end
  end
  if before and before.call > call then return 0, 0, 0 end
  local count = #names
  table.sort(names)
  local shares = {}
  for index, name in ipairs(names) do
    local turn = index - 1
    if most < count then turn = (turn + math.floor(now / 1000)) % count end
    shares[name] = math.floor(most / count) + (turn < most % count and 1 or 0)
  end
  local others, parts, active, is_hungry = 0, 0, 0, false
  for _, one in ipairs(known) do
    others, parts = others + one.held, parts + one.part
    if most == 0 or one.held > 0 then active = active + 1 end
    if most > 0 and one.held < math.min(one.want, shares[one.name]) then is_hungry = true end
  end
  local permits, part = wanted, 0
  if most > 0 then
    permits = math.min(wanted, math.max(0, most - others))
    if is_hungry then permits = math.min(permits, shares[node]) end
  end
  local fair = math.floor(1000000 / (active + 1))
  if has_rate and permits > 0 then
    part = math.max(0, math.min(fair, 1000000 - parts))
    if part < 1000 then part = 0 end
  end
  local is_short = wanted > 0 and (has_rate and permits > 0 and part < fair
    or most > 0 and permits < math.min(wanted, shares[node]))
  if is_short and (not before or before.want < wanted) then tell(host) end
  if wanted > 0 or used > 0 then
    known[#known + 1] = {name = node, call = call, held = math.max(permits, used), want = wanted,
      part = math.max(part, used_part), heard = now}
  end
  local words = {}
  for _, one in ipairs(known) do
    words[#words + 1] = string.format('%s=%.0f,%.0f,%.0f,%.0f,%.0f',
      one.name, one.call, one.held, one.want, one.part, one.heard)
  end
  if #words == 0 then
    redis.call('HDEL', hosts, host)
    redis.call('ZREM', stale, host)
  else
    redis.call('HSET', hosts, host, table.concat(words, ' '))
    redis.call('ZADD', stale, now + lease, host)
  end
  local is_contended = wanted > 0 and #known > 1
    and (is_hungry or most > 0 and permits < wanted or has_rate and part < 1000000)
  return permits, part, is_contended and 1 or 0
end
for _, host in ipairs(redis.call('ZRANGEBYSCORE', stale, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('HDEL', hosts, host)
  redis.call('ZREM', stale, host)
end
local answer, told = {}, {}
for i = 7, #ARGV, 5 do
  local host, wanted, pause = ARGV[i], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  if pause > 0 and now + pause > tonumber(redis.call('ZSCORE', pauses, host) or '0') then
    redis.call('ZREMRANGEBYSCORE', pauses, '-inf', now)
    redis.call('ZADD', pauses, string.format('%.0f', now + pause), host)
    tell(host)
  end
  local permits, part, is_contended = 0, 0, 0
  if wanted >= 0 then
    permits, part, is_contended = share(tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), wanted, host)
  end
  for _, number in ipairs({permits, part, is_contended}) do answer[#answer + 1] = number end
end
local function add(host)
  told[#told + 1] = host
  told[#told + 1] = math.max(0, tonumber(redis.call('ZSCORE', pauses, host) or '0') - now)
end
if cursor == '' then
  local last = redis.call('XREVRANGE', news, '+', '-', 'COUNT', 1)[1]
  cursor = last and last[1] or '0-0'
  for _, host in ipairs(redis.call('ZRANGEBYSCORE', pauses, '(' .. now, '+inf')) do add(host) end
else
  for _, entry in ipairs(redis.call('XRANGE', news, '(' .. cursor, '+', 'COUNT', 100)) do
    cursor = entry[1]
    add(entry[2][2])
  end
end
return {state, cursor, told, answer}
";

impl Script {
    /// Its text, which the prelude precedes.
    pub(crate) fn text(self) -> String {
        let body = match self {
            Self::Create => CREATE,
            Self::Add => ADD,
            Self::Fill => FILL,
            Self::Take => TAKE,
            Self::Renew => RENEW,
            Self::Finish => FINISH,
            Self::Prepare => PREPARE,
            Self::Adopt => return format!("{PRELUDE}{ADOPT}{FINISH}"),
            Self::Release => RELEASE,
            Self::Leave => LEAVE,
            Self::Status => STATUS,
            Self::Cancel => CANCEL,
            Self::Retry => RETRY,
            Self::List => LIST,
            Self::Hosts => HOSTS,
        };
        format!("{PRELUDE}{body}")
    }
}

/// The keys of the run `name`, in the order of the scripts. The braces keep them on one machine of a cluster.
pub(crate) fn keys(name: &str) -> Vec<String> {
    let names = [
        "run", "slices", "leases", "holders", "reasons", "done", "failed", "aside", "seen", "hosts", "stale",
        "pauses", "news", "prepared",
    ];
    names.map(|key| format!("haul:{{{name}}}:{key}")).to_vec()
}
