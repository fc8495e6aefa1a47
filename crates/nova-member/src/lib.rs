//! How members start the careful way: Redis and Sentinel find their role first, Kafka's storage is formatted when it is new,
//! Patroni is given its passwords. The same on every target; a binary of its own, since it is all of Nova that a store's image holds.
