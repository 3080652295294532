// Package queue is the queue of all work in the background that is due at a time.
// The work is an item of another package, its owner: a delivery, a task. The queue
// gives the item a place: a list and a time at which it is due.
//
// # Writes
//
// One conditional write makes three things together: the owner's change, the check
// of the fence, and the move to the new place. So no crash can separate them.
//
//   - The fence is the number of a lease. A worker takes an item that is due (Take),
//     and gets a lease with a number that no other lease of the item has. Each later
//     write of the worker has the condition that this number is still the item's. If
//     the lease is over, another worker may have taken the item. Then the first
//     worker's writes change nothing, and it gets ErrLost. The number is a random
//     text, which Move removes. Or it is the count of tries, together with the count
//     of restarts. Then a worker can repeat its last write until the item is taken
//     or redelivered.
//   - While a worker has an item, the item's place is the end of the lease. So the
//     item of a worker that dies is due again, and none is forgotten.
//   - Move ends the lease: the item waits until a later time, or it leaves the queue
//     because it is done or because somebody must decide what happens to it.
//
// # Lists
//
// What is due is found in one of two ways. The attribute names of the queue say
// which one the items have.
//
//   - Reminders: each item in the queue has a reminder, an item of its own. It is
//     written in the same transaction. A read of the list is strongly consistent,
//     and a move costs two more writes.
//   - An index of the table, over the list and the time. A move is one write, and the
//     index is a little behind the table.
//
// Either way the list is a hint, and the item decides whether a worker may take it.
// If a worker was woken twice, or by an old entry, it finds that the item is not due.
// So a list may have too many entries. Reminders never have too few. An index may
// lack the entry of an item that has just moved, and has it a moment later.
package queue
