//! The tables and the statements. Records are only ever inserted: the server's role needs no
//! right to change or delete one.
//!
//! The head of the log is its last record. A row with the head, updated by each append, would
//! keep a version per append for as long as any session of the database has an old snapshot.

/// The version of the tables that this version writes.
pub(super) const FORMAT: i32 = 1;
/// The newest form of records that this version can read.
pub(super) const READER: i32 = 1;

/// Creates the tables. The lock lets several do so at once.
pub(super) const CREATE_TABLES: &str = "
select pg_advisory_xact_lock(hashtext('userpool'));
create table if not exists userpool_log (
  log text primary key,
  region text not null,
  format int not null,
  min_reader int not null,
  checkpoint_key bytea not null,
  created_at timestamptz not null default now()
);
create table if not exists userpool_record (
  log text not null,
  position bigint not null,
  stored bytea not null,
  primary key (log, position)
);
alter table userpool_record alter column stored set storage external;
create table if not exists userpool_replica (
  log text not null,
  name text not null,
  version text not null,
  reader int not null,
  position bigint not null,
  seen_at timestamptz not null,
  primary key (log, name)
);
create table if not exists userpool_checkpoint (
  log text not null,
  position bigint not null,
  cosignatures int not null,
  digest bytea not null,
  checkpoint text not null,
  primary key (log, position, cosignatures, digest)
);";

/// Creates the row of a log, unless there is one.
pub(super) const CREATE_LOG: &str = "insert into userpool_log \
     (log, region, format, min_reader, checkpoint_key) values ($1, $2, $3, $4, $5) \
     on conflict do nothing";

/// What a log is.
pub(super) const LOG: &str =
    "select region, format, min_reader, checkpoint_key from userpool_log where log = $1";

/// How a session behaves, whatever the defaults of its role are. The database ends one whose
/// client is gone after about 25 seconds, unless it waits for a standby.
pub(super) const SESSION: &str = "set synchronous_commit = on; \
     set default_transaction_isolation = 'read committed'; \
     set statement_timeout = 0; \
     set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '2s'; \
     set tcp_keepalives_idle = 10; \
     set tcp_keepalives_interval = 5; \
     set tcp_keepalives_count = 3; \
     set tcp_user_timeout = 25000";

/// What the durability of a commit depends on.
pub(super) const DURABILITY: &str = "select current_setting('fsync'), \
     current_setting('full_page_writes'), current_setting('synchronous_standby_names'), \
     (select count(*) from pg_stat_replication), \
     (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum'))";

/// The number of promotions that led to this primary.
pub(super) const TIMELINE: &str =
    "select ('x' || substring(pg_walfile_name(pg_current_wal_lsn()) for 8))::bit(32)::bigint";

/// The last record.
pub(super) const HEAD: &str = "select position, substring(stored from octet_length(stored) - 31) \
     from userpool_record where log = $1 order by position desc limit 1";

/// The hash of a record.
pub(super) const HASH: &str = "select substring(stored from octet_length(stored) - 31) \
     from userpool_record where log = $1 and position = $2";

/// Waits for the lock of the log, which writers queue for.
pub(super) const TURN: &str =
    "select clock_timestamp(), min_reader from userpool_log where log = $1 for update";

/// Appends records if the log ends at a record with this position and hash.
///
/// Rows never change, and each append begins after its expected head. So of two appends at the
/// same head, the primary key admits one.
pub(super) const APPEND: &str = "insert into userpool_record (log, position, stored) \
     select $1, $2 + added.index, added.stored \
     from unnest($4::bytea[]) with ordinality as added (stored, index) \
     where $2 = 0::bigint or exists (select from userpool_record where log = $1 \
     and position = $2 and substring(stored from octet_length(stored) - 31) = $3)";

/// The records after a position: as many as two limits allow, but at least one.
pub(super) const READ: &str = "select position, stored from ( \
     select position, stored, \
     sum(octet_length(stored)) over (order by position) as total \
     from userpool_record where log = $1 and position > $2 order by position limit $3) page \
     where total <= $4 or position - 1 = $2 order by position";

/// The records at positions, in that order.
pub(super) const READ_AT: &str = "select wanted.position, record.stored \
     from unnest($2::bigint[]) with ordinality as wanted (position, index) \
     left join userpool_record record on record.log = $1 and record.position = wanted.position \
     order by wanted.index";

/// Describes a server. The transaction of this statement waits for no standby.
pub(super) const REPORT: &str = "insert into userpool_replica \
     (log, name, version, reader, position, seen_at) \
     select $1, $2, $3, $4, $5, now() from set_config('synchronous_commit', 'off', true) \
     on conflict (log, name) do update set version = excluded.version, \
     reader = excluded.reader, position = excluded.position, seen_at = excluded.seen_at";

/// The servers of a log.
pub(super) const REPLICAS: &str = "select name, version, reader, position, \
     extract(epoch from now() - seen_at)::float8 from userpool_replica where log = $1 \
     order by name";

/// Raises the form of records that every server must be able to read.
pub(super) const UPGRADE: &str =
    "update userpool_log set min_reader = greatest(min_reader, $2) where log = $1";

/// Waits for a moment, which a process without its postmaster does not survive.
pub(super) const WAIT: &str = "select pg_sleep(0.001)";

/// A commit that changes no row, and waits for a standby as any other.
pub(super) const BARRIER: &str = "select pg_logical_emit_message(true, 'userpool', '')";

/// Adds a checkpoint, unless it is there. The commit waits neither for the disk nor for a standby,
/// so a crash can lose it: the server that signed the checkpoint has it in a file, and adds it again.
pub(super) const ADD_CHECKPOINT: &str = "insert into userpool_checkpoint \
     (log, position, cosignatures, digest, checkpoint) \
     select $1, $2, $3, sha256(convert_to($4, 'UTF8')), $4 \
     from set_config('synchronous_commit', 'off', true) on conflict do nothing";

/// The checkpoints with at least a number of cosignatures, the newest first, up to a limit.
pub(super) const NEWEST_CHECKPOINTS: &str = "select checkpoint from userpool_checkpoint \
     where log = $1 and cosignatures >= $2 order by position desc, cosignatures desc limit $3";

/// The checkpoints after another one, the oldest first, up to a limit.
pub(super) const CHECKPOINTS: &str = "select position, cosignatures, digest, checkpoint \
     from userpool_checkpoint where log = $1 and (position, cosignatures, digest) > ($2, $3, $4) \
     order by position, cosignatures, digest limit $5";

/// What a role needs to serve a log.
pub(super) fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    [
        format!("grant select, update on userpool_log to {role};"),
        format!("grant select, insert on userpool_record to {role};"),
        format!("grant select, insert, update, delete on userpool_replica to {role};"),
        format!("grant select, insert on userpool_checkpoint to {role};"),
        format!("grant pg_read_all_stats to {role};"),
    ]
    .join("\n")
}

/// The channel on which appends are announced.
pub(super) fn channel(log: &str) -> String {
    format!("\"userpool_{log}\"")
}
